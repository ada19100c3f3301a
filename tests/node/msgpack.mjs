/** MessagePack of what JSON can hold, for the stand-in of CodeSandbox's agent. */

/** The bytes of a value. */
export function pack(value) {
  const parts = [];
  put(value, parts);
  return Buffer.concat(parts);
}

function put(value, parts) {
  const headed = (tag, length) => {
    const head = Buffer.alloc(5);
    head.writeUInt8(tag, 0);
    head.writeUInt32BE(length, 1);
    parts.push(head);
  };
  if (value === null || value === undefined) parts.push(Buffer.from([0xc0]));
  else if (typeof value === "boolean") parts.push(Buffer.from([value ? 0xc3 : 0xc2]));
  else if (typeof value === "number") {
    const bytes = Buffer.alloc(9);
    bytes.writeUInt8(0xcb, 0);
    bytes.writeDoubleBE(value, 1);
    parts.push(bytes);
  } else if (typeof value === "string") {
    const bytes = Buffer.from(value);
    headed(0xdb, bytes.length);
    parts.push(bytes);
  } else if (Array.isArray(value)) {
    headed(0xdd, value.length);
    for (const one of value) put(one, parts);
  } else {
    const fields = Object.entries(value);
    headed(0xdf, fields.length);
    for (const [name, one] of fields) {
      put(name, parts);
      put(one, parts);
    }
  }
}

/** The value of bytes. */
export function unpack(bytes) {
  let at = 0;
  const number = (read, length) => {
    const value = bytes[read](at);
    at += length;
    return Number(value);
  };
  const text = (length) => bytes.subarray(at, (at += length)).toString();
  const list = (length) => Array.from({ length }, next);
  const map = (length) => Object.fromEntries(Array.from({ length }, () => [next(), next()]));
  function next() {
    const tag = bytes[at++];
    if (tag < 0x80) return tag;
    if (tag < 0x90) return map(tag & 0x0f);
    if (tag < 0xa0) return list(tag & 0x0f);
    if (tag < 0xc0) return text(tag & 0x1f);
    if (tag >= 0xe0) return tag - 0x100;
    switch (tag) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xca: return number("readFloatBE", 4);
      case 0xcb: return number("readDoubleBE", 8);
      case 0xcc: return number("readUInt8", 1);
      case 0xcd: return number("readUInt16BE", 2);
      case 0xce: return number("readUInt32BE", 4);
      case 0xcf: return number("readBigUInt64BE", 8);
      case 0xd0: return number("readInt8", 1);
      case 0xd1: return number("readInt16BE", 2);
      case 0xd2: return number("readInt32BE", 4);
      case 0xd3: return number("readBigInt64BE", 8);
      case 0xd9: return text(number("readUInt8", 1));
      case 0xda: return text(number("readUInt16BE", 2));
      case 0xdb: return text(number("readUInt32BE", 4));
      case 0xdc: return list(number("readUInt16BE", 2));
      case 0xdd: return list(number("readUInt32BE", 4));
      case 0xde: return map(number("readUInt16BE", 2));
      case 0xdf: return map(number("readUInt32BE", 4));
      default: throw new Error(`a value of the kind ${tag.toString(16)}`);
    }
  }
  return next();
}
