// From a request to the event of a handler, and from what it returned to an answer: AWS Lambda's payload format 2.0 and
// the way it infers a response, as ../python3/payload.py does it. Pure functions.
'use strict';

const HEADERS_MAX = 100; // of an answer; so many are allowed in a request as well
const TRACE_MAX = 50;
const LINE_MAX = 1024;
const MESSAGE_MAX = 16384; // so an error always fits into one frame
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const TEXT_TYPE = /json|xml|javascript|ecmascript|x-www-form-urlencoded|yaml|graphql/;

/** What was returned is no answer. */
class MarshalError extends Error {
  constructor(reason) {
    super(`Unable to marshal response: ${reason}`);
    this.name = 'Runtime.MarshalError';
  }
}

/** An error in words: its type, its message, and the lines of its trace. */
function describeError(error, type) {
  if (!(error instanceof Error)) {
    return { type: type || typeof error, message: textOf(error).slice(0, MESSAGE_MAX), trace: [] };
  }
  let trace = String(error.stack || '').split('\n');
  // From there on it is what leads to the function's code: ours.
  const ours = trace.findIndex((line) => /^\s+at .*\[eval\]/.test(line));
  if (ours >= 0) trace = trace.slice(0, ours);
  return {
    type: type || error.name || 'Error', message: textOf(error.message).slice(0, MESSAGE_MAX),
    trace: trace.slice(0, TRACE_MAX).map((line) => line.slice(0, LINE_MAX)),
  };
}

function textOf(value) {
  try {
    return String(value);
  } catch {
    return typeof value;
  }
}

function isText(contentType) {
  const kind = contentType.split(';', 1)[0].trim().toLowerCase();
  return kind === '' || kind.startsWith('text/') || TEXT_TYPE.test(kind);
}

function decode(text) {
  if (!/[%+]/.test(text)) return text;
  const spaced = text.replaceAll('+', ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    // What does not decode stays as it is.
    const bytes = [];
    const all = Buffer.from(spaced);
    for (let i = 0; i < all.length; i++) {
      const digits = all.latin1Slice(i + 1, i + 3);
      const isCode = all[i] === 0x25 && /^[0-9a-f]{2}$/i.test(digits);
      bytes.push(isCode ? parseInt(digits, 16) : all[i]);
      if (isCode) i += 2;
    }
    return Buffer.from(bytes).toString();
  }
}

function queryParameters(query) {
  const found = Object.create(null);
  for (const item of query.split('&')) {
    if (item === '') continue;
    const sign = item.indexOf('=');
    const name = decode(sign < 0 ? item : item.slice(0, sign));
    const value = sign < 0 ? '' : decode(item.slice(sign + 1));
    found[name] = name in found ? `${found[name]},${value}` : value;
  }
  return { ...found };
}

/** Repeated ones joined by a comma, cookies by a semicolon (RFC 6265 §5.4). */
function joinHeaders(pairs) {
  const headers = Object.create(null);
  for (const [name, value] of pairs) {
    headers[name] = name in headers ? headers[name] + (name === 'cookie' ? '; ' : ',') + value : value;
  }
  return { ...headers };
}

function two(number) {
  return number < 10 ? `0${number}` : `${number}`;
}

function timeText(now) {
  return `${two(now.getUTCDate())}/${MONTHS[now.getUTCMonth()]}/${now.getUTCFullYear()}:` +
    `${two(now.getUTCHours())}:${two(now.getUTCMinutes())}:${two(now.getUTCSeconds())} +0000`;
}

/** Payload format 2.0. Source: AWS, "Working with AWS Lambda proxy integrations for HTTP APIs". */
function httpEvent(request, functionName, body) {
  const { special } = request;
  const path = special[':path'] || '/';
  const query = special[':query'] || '';
  const host = special[':host'] || '';
  const headers = joinHeaders(request.headers);
  if (host && !('host' in headers)) headers.host = host;
  const now = new Date();
  const event = { version: '2.0', routeKey: '$default', rawPath: path, rawQueryString: query };
  if ('cookie' in headers) event.cookies = headers.cookie.split(';').map((cookie) => cookie.trim()).filter(Boolean);
  event.headers = headers;
  if (query) event.queryStringParameters = queryParameters(query);
  event.requestContext = {
    accountId: 'anonymous', apiId: functionName,
    domainName: host.startsWith('[') ? host.slice(0, host.indexOf(']') + 1) : host.split(':', 1)[0],
    domainPrefix: functionName,
    http: {
      method: special[':method'] || 'GET', path, protocol: special[':protocol'] || 'HTTP/1.1',
      sourceIp: special[':source'] || '', userAgent: headers['user-agent'] || '',
    },
    requestId: request.id, routeKey: '$default', stage: '$default', time: timeText(now), timeEpoch: now.getTime(),
  };
  event.isBase64Encoded = false;
  if (body.length > 0) {
    const text = isText(headers['content-type'] || '') ? body.toString() : null;
    // Bytes that are no UTF-8 have become something else, which is longer or other bytes.
    if (text !== null && Buffer.from(text).equals(body)) {
      event.body = text;
    } else {
      event.body = body.toString('base64');
      event.isBase64Encoded = true;
    }
  }
  return event;
}

function jsonText(value) {
  try {
    const text = JSON.stringify(value);
    return text === undefined ? 'null' : text;
  } catch (error) {
    throw new MarshalError(error.message);
  }
}

function checkedField(name, value) {
  const text = String(value);
  if (name === '' || /[^\x01-\x7f]|[\r\n]/.test(name) || /[\r\n\0]/.test(text)) {
    throw new MarshalError(`header '${name}' has characters that no header may have`);
  }
  return [name, text];
}

/** The head of an answer that says all itself: status and fields. */
function answerHead(result, isStreamed) {
  const status = result.statusCode === undefined && isStreamed ? 200 : result.statusCode;
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new MarshalError(`statusCode must be a whole number from 200 to 599, not ${textOf(status)}`);
  }
  const headers = result.headers || {};
  const cookies = result.cookies || [];
  if (typeof headers !== 'object' || Array.isArray(headers) || !Array.isArray(cookies)) {
    throw new MarshalError('headers must be an object and cookies a list');
  }
  const fields = [];
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    // The real one is known.
    if (lower !== 'content-length' || isStreamed) fields.push(checkedField(lower, value));
  }
  if (!fields.some(([name]) => name === 'content-type')) {
    fields.push(['content-type', isStreamed ? 'application/octet-stream' : 'application/json']);
  }
  for (const cookie of cookies) fields.push(checkedField('set-cookie', cookie));
  if (fields.length > HEADERS_MAX) {
    throw new MarshalError(`${fields.length} headers, at most ${HEADERS_MAX} are allowed`);
  }
  return { status, fields };
}

const JSON_HEAD = { status: 200, fields: [['content-type', 'application/json']] };

/** The head of the answer and its body, as AWS infers them from what was returned. */
function httpAnswer(result) {
  if (typeof result === 'string') return [JSON_HEAD, Buffer.from(result)];
  if (result === null || typeof result !== 'object' || result.statusCode === undefined) {
    return [JSON_HEAD, Buffer.from(jsonText(result))];
  }
  const head = answerHead(result, false);
  const { body } = result;
  if (body === undefined || body === null) return [head, Buffer.alloc(0)];
  if (typeof body !== 'string') return [head, Buffer.from(jsonText(body))];
  if (!result.isBase64Encoded) return [head, Buffer.from(body)];
  const bytes = Buffer.from(body, 'base64');
  if (bytes.toString('base64') !== body) throw new MarshalError('body is not base64');
  return [head, bytes];
}

module.exports = { JSON_HEAD, MarshalError, answerHead, describeError, httpAnswer, httpEvent, jsonText };
