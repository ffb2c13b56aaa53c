// Frames and the channel to the server (protocol 1, Runtime/README.md). Nothing here knows what a request means.
'use strict';

const fs = require('node:fs');
const net = require('node:net');

const HEADER_SIZE = 24;
const BODY_MAX = 262144; // of one frame
const WINDOW = 262144; // body bytes of a request on the way in one direction
const CREDIT_STEP = 65536; // consumed body bytes are credited when there are so many: a quarter of the window
const LOG_MAX = 16384; // text of one log frame
const FIELDS_MAX = 65536; // bytes of the fields of a frame
const UNKNOWN = 0xffffffffffffffffn;
const KIND = {
  SETUP: 1, REQUEST: 2, BODY: 3, CANCEL: 4, DRAIN: 5, CREDIT: 6,
  HELLO: 17, READY: 18, INIT_FAILED: 19, HEAD: 20, CHUNK: 21, END: 22, LOG: 23,
};
const FLAG = { LAST: 1, STANDARD_ERROR: 2, LEAVING: 8 };
const OUTCOME = { ANSWERED: 0, RAISED: 1, CANCELLED: 2 };

/** A frame; `request` has a number and a nonce, null is about the worker itself. */
function frame(kind, request, body, flags = 0) {
  const bytes = Buffer.allocUnsafe(HEADER_SIZE + body.length);
  bytes.writeUInt32LE(body.length, 0);
  bytes[4] = kind;
  bytes[5] = flags;
  bytes.writeUInt16LE(0, 6);
  bytes.writeBigUInt64LE(request ? request.number : 0n, 8);
  bytes.writeBigUInt64LE(request ? request.nonce : 0n, 16);
  body.copy(bytes, HEADER_SIZE);
  return bytes;
}

/** Names and values as they stand in a frame. */
function encodeFields(fields) {
  const parts = [Buffer.allocUnsafe(2)];
  parts[0].writeUInt16LE(fields.length);
  for (const [name, value] of fields) {
    const nameBytes = Buffer.from(name, 'latin1');
    const valueBytes = Buffer.from(value, 'utf8');
    const lengths = Buffer.allocUnsafe(6);
    lengths.writeUInt16LE(nameBytes.length, 0);
    lengths.writeUInt32LE(valueBytes.length, 2);
    parts.push(lengths, nameBytes, valueBytes);
  }
  return Buffer.concat(parts);
}

/** Reads a list of fields at `at`. Returns pairs, and the offset behind them. */
function readFields(body, at) {
  let count = body.readUInt16LE(at);
  at += 2;
  const fields = [];
  for (; count > 0; count--) {
    const middle = at + 6 + body.readUInt16LE(at);
    const end = middle + body.readUInt32LE(at + 2);
    if (end > body.length) throw new ProtocolError('fields are longer than their frame');
    fields.push([body.latin1Slice(at + 6, middle), body.utf8Slice(middle, end)]);
    at = end;
  }
  return [fields, at];
}

/** The server sent what it must not send. */
class ProtocolError extends Error {}

/** The socket to the server. What is sent in one turn of the event loop leaves in one write. */
class Channel {
  constructor(descriptor, onFrame) {
    this.descriptor = descriptor;
    this.onFrame = onFrame;
    this.kept = null;
    this.waiting = [];
    this.socket = new net.Socket({ fd: descriptor, readable: true, writable: true });
    this.socket.on('data', (bytes) => this.received(bytes));
    // Without the server there is nothing to do for anybody.
    this.socket.on('end', () => process.exit(0));
    this.socket.on('error', () => process.exit(0));
    this.flush = this.flush.bind(this);
  }

  received(bytes) {
    if (this.kept) bytes = Buffer.concat([this.kept, bytes]);
    this.kept = null;
    let at = 0;
    while (bytes.length - at >= HEADER_SIZE) {
      const length = bytes.readUInt32LE(at);
      if (length > BODY_MAX) throw new ProtocolError('a frame is longer than 262144 bytes');
      const end = at + HEADER_SIZE + length;
      if (end > bytes.length) break;
      const body = bytes.subarray(at + HEADER_SIZE, end);
      this.onFrame(bytes[at + 4], bytes[at + 5], bytes.readBigUInt64LE(at + 8), bytes.readBigUInt64LE(at + 16), body);
      at = end;
    }
    if (at < bytes.length) this.kept = Buffer.from(bytes.subarray(at));
  }

  send(bytes) {
    if (this.waiting.push(bytes) === 1) process.nextTick(this.flush);
  }

  flush() {
    const waiting = this.waiting;
    this.waiting = [];
    if (waiting.length > 0) this.socket.write(waiting.length === 1 ? waiting[0] : Buffer.concat(waiting));
  }

  /** Calls `then` when all that was sent is the kernel's. */
  whenSent(then) {
    this.flush();
    this.socket.write('', then);
  }

  /** Writes what waits without the event loop, which is over: best effort, as the process ends. */
  sendNow() {
    let rest = Buffer.concat(this.waiting);
    this.waiting = [];
    for (let tries = 0; rest.length > 0 && tries < 1000; tries++) {
      try {
        rest = rest.subarray(fs.writeSync(this.descriptor, rest));
      } catch (error) {
        if (error.code !== 'EAGAIN') return;
      }
    }
  }
}

module.exports = {
  BODY_MAX, CREDIT_STEP, Channel, FIELDS_MAX, FLAG, KIND, LOG_MAX, OUTCOME, ProtocolError, UNKNOWN, WINDOW,
  encodeFields, frame, readFields,
};
