"""The client of python-socketio, told what to do by the test: one JSON array a line in, one a line out.

Arguments: the URL, the transports between commas, the namespaces between commas.
"""

import json
import sys
import threading

import socketio


def printable(value):
    """Bytes as JSON can say them; the test knows the form."""
    if isinstance(value, bytes):
        return {"bytes": list(value)}
    if isinstance(value, (list, tuple)):
        return [printable(item) for item in value]
    if isinstance(value, dict):
        return {key: printable(item) for key, item in value.items()}
    return value


def readable(value):
    if isinstance(value, dict):
        if set(value) == {"bytes"}:
            return bytes(value["bytes"])
        return {key: readable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [readable(item) for item in value]
    return value


# The client runs each listener in a thread of its own.
output = threading.Lock()


def tell(*event):
    with output:
        print(json.dumps(printable(event)), flush=True)


def main():
    url, transports, namespaces = sys.argv[1], sys.argv[2].split(","), sys.argv[3].split(",")
    client = socketio.Client(reconnection=False)

    for namespace in namespaces:

        def connected(namespace=namespace):
            tell("connect", namespace, client.get_sid(namespace))

        def refused(error, namespace=namespace):
            tell("connect_error", namespace, error)

        def gone(reason=None, namespace=namespace):
            tell("disconnect", namespace, reason)

        def question(*args, namespace=namespace):
            tell("event", namespace, "question", *args)
            return "answer", args[-1]

        client.on("connect", connected, namespace=namespace)
        client.on("connect_error", refused, namespace=namespace)
        client.on("disconnect", gone, namespace=namespace)
        client.on("question", question, namespace=namespace)
        client.on(
            "*",
            lambda event, *args, namespace=namespace: tell("event", namespace, event, *args),
            namespace=namespace,
        )

    try:
        client.connect(
            url,
            transports=transports,
            namespaces=namespaces,
            auth={"token": "€"},
            headers={"X-Client": "python"},
            wait_timeout=5,
        )
    except socketio.exceptions.ConnectionError as error:
        tell("failed", str(error))
        return
    tell("transport", client.transport())

    for line in sys.stdin:
        command, namespace, *args = readable(json.loads(line))
        if command == "emit":
            client.emit(args[0], tuple(args[1:]), namespace=namespace)
        elif command == "call":
            tell("reply", client.call(args[0], tuple(args[1:]), namespace=namespace, timeout=5))
        elif command == "disconnect":
            client.disconnect()
            break
    client.wait()


main()
