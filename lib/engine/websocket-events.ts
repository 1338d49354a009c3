/**
 * The two ways to listen to a WebSocket, as the `ws` package offers them: Node's emitter, and the browser's `addEventListener`, `onmessage` and
 * the like, whose handlers get an event object.
 */
import * as inTransport from "./in-transport";
import { LazyEmitter } from "./lazy-emitter";

/** What a handler of the browser's kind gets. */
export interface WebSocketEvent {
  type: string;
  target: WebSocketEvents;
  /** Of `message`: text, or binary data as `binaryType` says. */
  data?: unknown;
  /** Of `close`: the peer's code. */
  code?: number;
  /** Of `close`: the peer's reason. */
  reason?: string;
  /** Of `close`: the peer has sent a close frame. */
  wasClean?: boolean;
  /** Of `error`. */
  error?: Error;
  message?: string;
}

/** A listener of the browser's kind. */
export type EventHandler =
  | ((event: WebSocketEvent) => void)
  | { handleEvent(event: WebSocketEvent): void };

type Listener = (...args: any[]) => void;

/** The emitter's listener for a handler. */
type Wrapper = Listener & {
  handler?: EventHandler;
  /** It was set as `onmessage` or the like. */
  isAttribute?: boolean;
};

type FieldsOf = (...args: any[]) => Partial<WebSocketEvent>;

/** RFC 6455 section 7.1.5: the stream has ended without a close frame. */
const ABNORMAL = 1006;

/** The fields of an event, made of what the emitter gives. */
const FIELDS: Readonly<Record<string, FieldsOf | undefined>> = Object.assign(Object.create(null), {
  open: () => ({}),
  message: (data: Buffer, isBinary: boolean) => ({ data: isBinary ? data : data.toString() }),
  close: (code: number, reason: Buffer) => ({
    code,
    reason: reason.toString(),
    wasClean: code !== ABNORMAL,
  }),
  error: (error: Error) => ({ error, message: error.message }),
});

export abstract class WebSocketEvents extends LazyEmitter {
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readonly CLOSING = 2;
  readonly CLOSED = 3;

  /** Called when a listener is added. */
  protected abstract [inTransport.onListener](event: string | symbol): void;

  // `once` and `prependOnceListener` end in these.

  override on(event: string | symbol, listener: Listener): this {
    this[inTransport.onListener](event);
    return super.on(event, listener);
  }

  override addListener(event: string | symbol, listener: Listener): this {
    this[inTransport.onListener](event);
    return super.addListener(event, listener);
  }

  override prependListener(event: string | symbol, listener: Listener): this {
    this[inTransport.onListener](event);
    return super.prependListener(event, listener);
  }

  /** Adds a handler of `open`, `message`, `close` or `error`, once; other events have none of this kind. */
  addEventListener(type: string, handler: EventHandler, options: { once?: boolean } = {}): void {
    if (FIELDS[type] !== undefined && this[inTransport.wrapperOf](type, handler) === undefined) {
      this[inTransport.addHandler](type, handler, options.once === true, false);
    }
  }

  /** Removes a handler that was added with {@link WebSocketEvents.addEventListener}. */
  removeEventListener(type: string, handler: EventHandler): void {
    const wrapper = this[inTransport.wrapperOf](type, handler);
    if (wrapper !== undefined) {
      this.removeListener(type, wrapper);
    }
  }

  get onopen(): EventHandler | null {
    return this[inTransport.attribute]("open");
  }

  set onopen(handler: EventHandler | null) {
    this[inTransport.setAttribute]("open", handler);
  }

  get onmessage(): EventHandler | null {
    return this[inTransport.attribute]("message");
  }

  set onmessage(handler: EventHandler | null) {
    this[inTransport.setAttribute]("message", handler);
  }

  get onclose(): EventHandler | null {
    return this[inTransport.attribute]("close");
  }

  set onclose(handler: EventHandler | null) {
    this[inTransport.setAttribute]("close", handler);
  }

  get onerror(): EventHandler | null {
    return this[inTransport.attribute]("error");
  }

  set onerror(handler: EventHandler | null) {
    this[inTransport.setAttribute]("error", handler);
  }

  private [inTransport.wrapperOf](type: string, handler: EventHandler): Wrapper | undefined {
    const wrappers = this.listeners(type) as Wrapper[];
    return wrappers.find((wrapper) => wrapper.handler === handler && !wrapper.isAttribute);
  }

  private [inTransport.attribute](type: string): EventHandler | null {
    const wrappers = this.listeners(type) as Wrapper[];
    return wrappers.find(({ isAttribute }) => isAttribute)?.handler ?? null;
  }

  private [inTransport.setAttribute](type: string, handler: EventHandler | null): void {
    for (const listener of this.listeners(type) as Wrapper[]) {
      if (listener.isAttribute) {
        this.removeListener(type, listener);
      }
    }
    if (typeof handler === "function") {
      this[inTransport.addHandler](type, handler, false, true);
    }
  }

  private [inTransport.addHandler](
    type: string,
    handler: EventHandler,
    isOnce: boolean,
    isAttribute: boolean,
  ): void {
    const wrapper: Wrapper = (...args) => {
      const event: WebSocketEvent = { type, target: this, ...FIELDS[type]?.(...args) };
      if (typeof handler === "function") {
        handler.call(this, event);
      } else {
        handler.handleEvent(event);
      }
    };
    wrapper.handler = handler;
    wrapper.isAttribute = isAttribute;
    if (isOnce) {
      this.once(type, wrapper);
    } else {
      this.on(type, wrapper);
    }
  }
}
