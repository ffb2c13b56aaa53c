// What runs in a node worker: takes requests from the channel and runs the handler. Frames are in channel.js, events
// and answers in payload.js. Handlers are those of AWS Lambda: async ones, ones with a callback, streaming ones.
'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');
const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');
const { Writable } = require('node:stream');
const { pathToFileURL } = require('node:url');
const util = require('node:util');
const {
  BODY_MAX, CREDIT_STEP, Channel, FIELDS_MAX, FLAG, KIND, LOG_MAX, OUTCOME, ProtocolError, UNKNOWN, WINDOW,
  encodeFields, frame, readFields,
} = load('channel');
const { JSON_HEAD, MarshalError, answerHead, describeError, httpAnswer, httpEvent, jsonText } = load('payload');

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const PRELUDE_TYPE = 'application/vnd.awslambda.http-integration-response';
const PROTOCOL = 1;
const PROTOCOL_STATUS = 70; // exit status after a frame that must not be

let channel;
let setup = {};
let handler;
let concurrency = 1;
let bodyMax = 0;
let isDraining = false;
let isLeaving = false;
let lastNumber = 0n;
const requests = new Map(); // by number, those that have not ended
const ready = []; // whole ones that wait for their turn, oldest first
let running = 0;
let current = null; // the only one that runs, if concurrency is 1
const storage = new AsyncLocalStorage();

/** One request, from its first frame to `end`. */
class Request {
  constructor(number, nonce, deadline, fields) {
    this.number = number;
    this.nonce = nonce;
    this.deadline = deadline;
    this.special = {};
    this.headers = [];
    this.body = [];
    this.uncredited = 0;
    this.window = WINDOW;
    this.onWindow = null;
    this.isOver = false;
    for (const field of fields) {
      if (field[0].startsWith(':')) this.special[field[0]] = field[1];
      else this.headers.push(field);
    }
    this.id = this.special[':id'] || '';
    const trigger = this.special[':trigger'] || 'http';
    this.isHttp = trigger === 'http' || trigger.startsWith('webhook:');
  }
}

// ------------------------------------------------------------------------------------------------ frames in

function onFrame(kind, flags, number, nonce, body) {
  if (kind === KIND.SETUP && lastNumber === 0n && handler === undefined) return setUp(body);
  if (kind === KIND.DRAIN) {
    isDraining = true;
    return leaveIfIdle();
  }
  if (kind === KIND.REQUEST) return takeRequest(flags, number, nonce, body);
  if (![KIND.BODY, KIND.CANCEL, KIND.CREDIT].includes(kind)) throw new ProtocolError(`a frame of type ${kind}`);
  const request = requests.get(number);
  if (!request) {
    // About a request that has ended: the frame and the end have crossed.
    if (number === 0n || number > lastNumber) throw new ProtocolError('a frame about no request');
    return undefined;
  }
  if (request.nonce !== nonce) throw new ProtocolError('a frame with a wrong nonce');
  if (kind === KIND.BODY) return takeBody(request, flags, body);
  if (kind === KIND.CREDIT) {
    request.window += body.readUInt32LE(0);
    const tell = request.onWindow;
    request.onWindow = null;
    if (tell) tell();
    return undefined;
  }
  const place = ready.indexOf(request);
  if (place >= 0 || request.body !== null) {
    if (place >= 0) ready.splice(place, 1);
    finish(request, OUTCOME.CANCELLED);
  }
  return undefined;
}

function takeRequest(flags, number, nonce, body) {
  if (number <= lastNumber) throw new ProtocolError('a request came twice or out of order');
  lastNumber = number;
  const [fields, end] = readFields(body, 16);
  const request = new Request(number, nonce, Number(body.readBigUInt64LE(0)), fields);
  requests.set(number, request);
  takeBody(request, flags, body.subarray(end));
}

function takeBody(request, flags, bytes) {
  if (bytes.length > 0) request.body.push(Buffer.from(bytes));
  if (flags & FLAG.LAST) {
    ready.push(request);
    return begin();
  }
  request.uncredited += bytes.length;
  if (request.uncredited >= CREDIT_STEP) {
    const credit = Buffer.allocUnsafe(4);
    credit.writeUInt32LE(request.uncredited);
    request.uncredited = 0;
    channel.send(frame(KIND.CREDIT, request, credit));
  }
  return undefined;
}

// ------------------------------------------------------------------------------------------------- handlers

function begin() {
  while (ready.length > 0 && running < concurrency && !isLeaving) {
    const request = ready.shift();
    running++;
    if (concurrency === 1) {
      current = request;
      run(request);
    } else {
      storage.run(request, run, request);
    }
  }
}

function contextOf(request) {
  const parsed = (name) => {
    try {
      return JSON.parse(request.special[name]);
    } catch {
      return undefined;
    }
  };
  return {
    callbackWaitsForEmptyEventLoop: true, functionName: setup.function, functionVersion: setup.version,
    invokedFunctionArn: request.special[':function-arn'] ||
      `arn:aws:lambda:local:000000000000:function:${setup.function}:${setup.version}`,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE, awsRequestId: request.id,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME, logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    identity: parsed(':cognito-identity'), clientContext: parsed(':client-context'),
    getRemainingTimeInMillis: () => Math.max(0, request.deadline - Date.now()),
  };
}

function eventOf(request) {
  const body = Buffer.concat(request.body);
  request.body = null;
  if (request.isHttp) return httpEvent(request, setup.function, body);
  return JSON.parse(body.length > 0 ? body.toString() : '{}');
}

function run(request) {
  let event;
  try {
    event = eventOf(request);
  } catch (error) {
    return refuse(request, error);
  }
  const context = contextOf(request);
  try {
    if (handler[STREAMING]) return stream(request, event, context);
    const settle = { done: false };
    const callback = (error, result) => {
      if (settle.done) return;
      settle.done = true;
      if (error !== undefined && error !== null) return raised(request, error);
      whenIdle(context, () => answered(request, result));
    };
    context.done = callback;
    context.succeed = (result) => callback(null, result);
    context.fail = (error) => callback(error === undefined || error === null ? 'handled' : error);
    const result = handler(event, context, callback);
    if (result && typeof result.then === 'function') {
      result.then((value) => {
        if (settle.done) return;
        settle.done = true;
        answered(request, value);
      }, (error) => {
        if (settle.done) return;
        settle.done = true;
        raised(request, error);
      });
    } else if (handler.length < 3 && !settle.done) {
      // Without a callback among its parameters nothing else could ever come of it.
      settle.done = true;
      answered(request, result);
    }
  } catch (error) {
    raised(request, error);
  }
  return undefined;
}

/** A handler with a callback is answered when nothing more waits in the event loop, unless it says otherwise. */
function whenIdle(context, then) {
  if (!context.callbackWaitsForEmptyEventLoop || concurrency > 1) return then();
  channel.socket.unref();
  process.once('beforeExit', () => {
    channel.socket.ref();
    then();
  });
  return undefined;
}

/** The body of an invoke is the event itself, so it must be JSON. */
function refuse(request, error) {
  const problem = {
    type: '/problems/bad-request', title: 'The request is malformed', status: 400,
    detail: `the body is the function's event and must be JSON: ${error.message}`, code: 'bad-request',
  };
  const head = { status: 400, fields: [['content-type', 'application/problem+json']] };
  sendWhole(request, head, Buffer.from(JSON.stringify(problem)));
}

function answered(request, result) {
  try {
    const [head, body] = request.isHttp ? httpAnswer(result) : [JSON_HEAD, Buffer.from(jsonText(result))];
    if (body.length > bodyMax) {
      const error = new Error(`Response payload size exceeded maximum allowed payload size (${bodyMax} bytes).`);
      return raised(request, error, 'Function.ResponseSizeTooLarge');
    }
    return sendWhole(request, head, body);
  } catch (error) {
    return raised(request, error, error instanceof MarshalError ? error.name : undefined);
  }
}

function raised(request, error, type) {
  if (request.isOver) return;
  const words = describeError(error, type);
  if (type) words.trace = [];
  const trace = words.trace.length > 0 ? words.trace : [`${words.type}: ${words.message}`];
  const when = new Date().toISOString();
  log(request, FLAG.STANDARD_ERROR, `${when}\t${request.id}\tERROR\tInvoke Error\t${trace.join('\n')}\n`);
  finish(request, OUTCOME.RAISED, errorFields(words));
}

function errorFields(words) {
  return encodeFields([
    ['type', words.type], ['message', words.message], ...words.trace.map((line) => ['trace', line])]);
}

// ------------------------------------------------------------------------------------------------- answers

function headBytes(head) {
  const status = Buffer.allocUnsafe(2);
  status.writeUInt16LE(head.status);
  const bytes = Buffer.concat([status, encodeFields(head.fields)]);
  if (bytes.length > FIELDS_MAX) {
    throw new MarshalError(`headers of ${bytes.length} bytes, at most ${FIELDS_MAX} are allowed`);
  }
  return bytes;
}

function sendWhole(request, head, body) {
  let bytes = headBytes(head);
  if (bytes.length + body.length <= BODY_MAX && body.length <= request.window) {
    channel.send(frame(KIND.HEAD, request, Buffer.concat([bytes, body]), FLAG.LAST));
    return finish(request, OUTCOME.ANSWERED);
  }
  bytes = headBytes({ status: head.status, fields: [...head.fields, ['content-length', String(body.length)]] });
  return sendBody(request, bytes, body, () => finish(request, OUTCOME.ANSWERED));
}

/** Sends bytes of an answer as the window allows, `head` before them, then calls `then`. */
function sendBody(request, head, body, then) {
  let at = 0;
  const go = () => {
    while (!request.isOver && (at < body.length || head)) {
      if (at < body.length && request.window === 0) {
        request.onWindow = go;
        return;
      }
      const count = Math.min(body.length - at, request.window, BODY_MAX - (head ? head.length : 0));
      const piece = body.subarray(at, at + count);
      request.window -= count;
      channel.send(frame(head ? KIND.HEAD : KIND.CHUNK, request, head ? Buffer.concat([head, piece]) : piece));
      head = null;
      at += count;
    }
    then();
  };
  go();
}

/** Sends the last frame of a request, and begins the next. */
function finish(request, outcome, error = Buffer.alloc(0)) {
  if (request.isOver) return;
  request.isOver = true;
  for (const stream of [process.stdout, process.stderr]) stream.finishLine(request);
  const end = Buffer.allocUnsafe(17);
  end[0] = outcome;
  end.writeBigUInt64LE(UNKNOWN, 1);
  end.writeBigUInt64LE(BigInt(process.memoryUsage.rss()), 9);
  channel.send(frame(KIND.END, request, Buffer.concat([end, error]), isLeaving ? FLAG.LEAVING : 0));
  requests.delete(request.number);
  if (outcome !== OUTCOME.CANCELLED) running--;
  if (current === request) current = null;
  if (isDraining) leaveIfIdle();
  // Not from within this one's stack.
  if (ready.length > 0) setImmediate(begin);
}

/** The answer of a streaming handler: what is written leaves as the caller takes it. */
class ResponseStream extends Writable {
  constructor(request) {
    super({ highWaterMark: 65536 });
    this.request = request;
    this.head = { status: 200, fields: [['content-type', 'application/octet-stream']] };
    this.isHeadSent = false;
  }

  setContentType(type) {
    this.head.fields = this.head.fields.filter(([name]) => name !== 'content-type');
    this.head.fields.push(['content-type', String(type)]);
  }

  takeHead() {
    if (this.isHeadSent) return null;
    this.isHeadSent = true;
    return headBytes(this.head);
  }

  _write(chunk, encoding, callback) {
    try {
      sendBody(this.request, this.takeHead(), Buffer.from(chunk, encoding), callback);
    } catch (error) {
      callback(error);
    }
  }

  _final(callback) {
    try {
      sendBody(this.request, this.takeHead(), Buffer.alloc(0), callback);
    } catch (error) {
      callback(error);
    }
  }
}

function stream(request, event, context) {
  const response = new ResponseStream(request);
  const ended = new Promise((resolve, reject) => {
    response.once('finish', resolve);
    response.once('error', reject);
  });
  const returned = (async () => handler(event, response, context))();
  Promise.all([returned, ended]).then(
    () => finish(request, OUTCOME.ANSWERED),
    (error) => raised(request, error, error instanceof MarshalError ? error.name : undefined));
}

globalThis.awslambda = {
  streamifyResponse(streaming, options) {
    streaming[STREAMING] = (options && options.invokeMode) || 'response';
    return streaming;
  },
  HttpResponseStream: {
    from(response, metadata) {
      if (response.request.isHttp) {
        response.head = answerHead(metadata || {}, true);
      } else {
        // Whoever gets the bytes as they are finds the head before eight NULs, as on AWS.
        response.setContentType(PRELUDE_TYPE);
        response.write(JSON.stringify(metadata || {}));
        response.write(Buffer.alloc(8));
      }
      return response;
    },
  },
};

// ---------------------------------------------------------------------------------------------------- logs

function log(request, flags, text) {
  const data = Buffer.from(text);
  for (let at = 0; at < data.length;) {
    let end = Math.min(data.length, at + LOG_MAX);
    // Between lines, where there are any: the server takes the end of a frame for the end of a line.
    if (end < data.length) end = data.lastIndexOf(10, end - 1) >= at ? data.lastIndexOf(10, end - 1) + 1 : end;
    channel.send(frame(KIND.LOG, request && !request.isOver ? request : null, data.subarray(at, end), flags));
    at = end;
  }
}

/** process.stdout and process.stderr: whole lines become log frames of the request that wrote them, at once. */
function logStream(flags) {
  const pending = new Map(); // by request (null: outside one), text without a line's end
  const made = new Writable({
    decodeStrings: false,
    write(chunk, encoding, callback) {
      const request = concurrency === 1 ? current : storage.getStore() || null;
      const text = (pending.get(request) || '') + (typeof chunk === 'string' ? chunk : chunk.toString());
      const end = text.lastIndexOf('\n') + 1;
      if (end > 0) log(request, flags, text.slice(0, end));
      if (end === text.length) pending.delete(request);
      else pending.set(request, text.slice(end));
      callback();
    },
  });
  made.finishLine = (request) => {
    const text = pending.get(request);
    pending.delete(request);
    if (text) log(request, flags, text);
  };
  return made;
}

/** Lines as AWS Lambda's runtime writes them: time, request, level, message, between tabs. */
function patchConsole() {
  const levels = { debug: 'DEBUG', log: 'INFO', info: 'INFO', warn: 'WARN', error: 'ERROR', trace: 'TRACE' };
  for (const [method, level] of Object.entries(levels)) {
    const out = level === 'ERROR' || level === 'WARN' || level === 'TRACE' ? process.stderr : process.stdout;
    console[method] = (...words) => {
      const request = concurrency === 1 ? current : storage.getStore();
      out.write(`${new Date().toISOString()}\t${request ? request.id : ''}\t${level}\t${util.format(...words)}\n`);
    };
  }
}

// --------------------------------------------------------------------------------------------------- set-up

/** The handler can't be loaded; the type is AWS Lambda's. */
class InitError extends Error {
  constructor(type, message, cause) {
    super(message);
    this.type = type;
    this.trace = cause instanceof Error ? describeError(cause).trace : [];
  }
}

async function importFile(file) {
  if (file.endsWith('.mjs') || (file.endsWith('.js') && isModule(file))) return import(pathToFileURL(file).href);
  return createRequire(file)(file);
}

function isModule(file) {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    try {
      return JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')).type === 'module';
    } catch (error) {
      if (error instanceof SyntaxError) return false;
    }
    if (folder === path.dirname(folder)) return false;
  }
}

async function loadHandler(name, code) {
  const parts = /^(.*?\/)?([^./]+)\.(.+)$/.exec(name);
  if (!parts) {
    throw new InitError(
      'Runtime.MalformedHandlerName', `Bad handler '${name}': it must be file.function, such as index.handler`);
  }
  const base = path.join(code, parts[1] || '', parts[2]);
  const file = ['.js', '.mjs', '.cjs'].map((suffix) => base + suffix).find((candidate) => fs.existsSync(candidate));
  if (!file) {
    const module = (parts[1] || '') + parts[2];
    throw new InitError('Runtime.ImportModuleError', `Error: Cannot find module '${module}'`);
  }
  let found;
  try {
    found = await importFile(file);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new InitError('Runtime.UserCodeSyntaxError', `SyntaxError: ${error.message}`, error);
    }
    if (error && /^(ERR_)?MODULE_NOT_FOUND$/.test(error.code)) {
      throw new InitError('Runtime.ImportModuleError', `Error: ${error.message}`, error);
    }
    const words = describeError(error);
    throw new InitError(words.type, words.message, error);
  }
  // CommonJS modules that were imported have their exports under `default`.
  for (const start of [found, found.default]) {
    let value = start;
    for (const key of parts[3].split('.')) value = value === undefined || value === null ? value : value[key];
    if (typeof value === 'function') return value;
    if (value !== undefined) throw new InitError('Runtime.HandlerNotFound', `${name} is not a function`);
  }
  throw new InitError('Runtime.HandlerNotFound', `${name} is undefined or not exported`);
}

function setUp(body) {
  setup = Object.fromEntries(readFields(body, 0)[0]);
  concurrency = Number(setup.concurrency) || 1;
  bodyMax = Number(setup['body-max']);
  handler = null;
  process.title = `taibai:${setup.function}`.slice(0, 15);
  loadHandler(setup.handler, path.resolve(setup.code)).then((found) => {
    handler = found;
    channel.send(frame(KIND.READY, null, Buffer.alloc(0)));
  }, (error) => {
    const words = { type: error.type || 'Error', message: error.message, trace: error.trace || [] };
    log(null, FLAG.STANDARD_ERROR, [`${words.type}: ${words.message}`, ...words.trace].join('\n') + '\n');
    channel.send(frame(KIND.INIT_FAILED, null, errorFields(words)));
    channel.whenSent(() => process.exit(1));
  });
}

function leaveIfIdle() {
  if (requests.size === 0) channel.whenSent(() => process.exit(0));
}

/** What nobody caught ends the process, as on AWS; what runs has failed by it. */
function uncaught(error, type) {
  isLeaving = true;
  if (error instanceof ProtocolError) {
    log(null, FLAG.STANDARD_ERROR, `taibai: the server broke the protocol: ${error.message}\n`);
    return channel.whenSent(() => process.exit(PROTOCOL_STATUS));
  }
  if (requests.size === 0 && handler === null) {
    const words = describeError(error, type);
    channel.send(frame(KIND.INIT_FAILED, null, errorFields(words)));
  }
  for (const request of [...requests.values()]) if (request.body === null) raised(request, error, type);
  return channel.whenSent(() => process.exit(1));
}

function start() {
  channel = new Channel(3, onFrame);
  for (const [name, flags] of [['stdout', 0], ['stderr', FLAG.STANDARD_ERROR]]) {
    Object.defineProperty(process, name, { value: logStream(flags), configurable: true });
  }
  patchConsole();
  process.on('uncaughtException', (error) => uncaught(error));
  process.on('unhandledRejection', (reason) => uncaught(reason, 'Runtime.UnhandledPromiseRejection'));
  process.on('exit', () => channel.sendNow());
  const version = Buffer.allocUnsafe(4);
  version.writeUInt32LE(PROTOCOL);
  channel.send(frame(KIND.HELLO, null, version));
}

start();
