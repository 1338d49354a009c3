// A self-signed certificate for 127.0.0.1, made anew in each run: no key is ever committed.
// DER is written by hand here (X.509 v3, RFC 5280), since Node can sign but not make certificates.

import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

export interface Certificate {
  key: string;
  cert: string;
}

/** One DER element: tag, length, content. */
function der(tag: number, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const length =
    body.length < 128
      ? Buffer.from([body.length])
      : Buffer.from([0x82, body.length >> 8, body.length & 255]);
  return Buffer.concat([Buffer.from([tag]), length, body]);
}

const TAG = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  utf8String: 0x0c,
  utcTime: 0x17,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
  extensions: 0xa3,
  oid: 0x06,
} as const;

const OID = {
  commonName: "550403",
  ecdsaWithSha256: "2a8648ce3d040302",
  subjectAlternativeName: "551d11",
} as const;

function oid(hex: string): Buffer {
  return der(TAG.oid, Buffer.from(hex, "hex"));
}

/** `YYMMDDHHMMSSZ`, as UTCTime wants it. */
function utcTime(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]/g, "").slice(2, 14);
  return der(TAG.utcTime, Buffer.from(`${digits}Z`));
}

/** A certificate that is valid from yesterday to tomorrow. */
export function selfSignedCertificate(): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const dayMs = 24 * 60 * 60 * 1_000;
  const algorithm = der(TAG.sequence, oid(OID.ecdsaWithSha256));
  const commonName = der(
    TAG.sequence,
    oid(OID.commonName),
    der(TAG.utf8String, Buffer.from("localhost")),
  );
  const name = der(TAG.sequence, der(TAG.set, commonName));
  const validity = der(
    TAG.sequence,
    utcTime(new Date(Date.now() - dayMs)),
    utcTime(new Date(Date.now() + dayMs)),
  );
  // [2] is a DNS name, [7] an IP address.
  const names = der(
    TAG.sequence,
    der(0x82, Buffer.from("localhost")),
    der(0x87, Buffer.from([127, 0, 0, 1])),
  );
  const alternativeNames = der(
    TAG.sequence,
    oid(OID.subjectAlternativeName),
    der(TAG.octetString, names),
  );
  // The top bit is cleared, so that the serial number is positive.
  const serial = randomBytes(8);
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40;
  const toBeSigned = der(
    TAG.sequence,
    der(TAG.version, der(TAG.integer, Buffer.from([2]))),
    der(TAG.integer, serial),
    algorithm,
    name,
    validity,
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(TAG.extensions, der(TAG.sequence, alternativeNames)),
  );
  const signature = sign("sha256", toBeSigned, privateKey);
  const certificate = der(
    TAG.sequence,
    toBeSigned,
    algorithm,
    der(TAG.bitString, Buffer.from([0]), signature),
  );
  const base64 = certificate.toString("base64").match(/.{1,64}/g) as string[];
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
    cert: ["-----BEGIN CERTIFICATE-----", ...base64, "-----END CERTIFICATE-----", ""].join("\n"),
  };
}
