// Functions in JavaScript: each form of handler there is on AWS Lambda, run by our own worker.

import Client
import Foundation
import ServerSupport
import TestSupport
import Testing

extension ServerRig {
    /// Deploys JavaScript files as a function of runtime node.
    func deployNode(
        _ name: String, _ files: [String: String], _ settings: [String] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try deployLambda(
            name, files, ["runtime: node", "handler: index.handler", "showErrors: true"] + settings,
            sourceLocation: sourceLocation)
    }
}

extension EndToEnd {
    @Suite(.needs(.command("node"))) struct `A node function` {
        @Test(arguments: [
            "exports.handler = async (event) => ({ n: event.n + 1 });",
            "exports.handler = (event, context, callback) => setTimeout(() => callback(null, { n: event.n + 1 }), 5);",
            "exports.handler = (event, context) => { context.succeed({ n: event.n + 1 }); };",
            "exports.handler = (event) => ({ n: event.n + 1 });",
            "module.exports.handler = (event) => Promise.resolve({ n: event.n + 1 });",
        ])
        func `answers in each form of handler`(source: String) throws {
            try ServerRig.run { rig in
                try rig.deployNode("f", ["index.js": source])

                for index in 0..<5 {
                    #expect(try rig.invoke("f", #"{"n": \#(index)}"#).text == #"{"n":\#(index + 1)}"#)
                }
            }
        }

        @Test func `is a module of either kind, and finds what it brings along`() throws {
            let kinds: [(files: [String: String], handler: String)] = [
                (
                    [
                        "index.mjs": "import { word } from './words.js';\nimport { join } from 'node:path';\n"
                            + "const late = await Promise.resolve(join('a', word));\n"
                            + "export const handler = async () => late;\n", "words.js": "exports.word = 'b';\n",
                    ], "index.handler"
                ),
                (
                    [
                        "package.json": #"{"type": "module"}"#,
                        "src/app.js": "export async function run() { return 'a/b'; }",
                    ], "src/app.run"
                ),
                (
                    [
                        "index.cjs": "const dep = require('dep');\nexports.deep = { handler: async () => dep };\n",
                        "node_modules/dep/index.js": "module.exports = 'a/b';\n",
                    ], "index.deep.handler"
                ),
            ]
            try ServerRig.run { rig in
                for (index, kind) in kinds.enumerated() {
                    try rig.deployLambda(
                        "f\(index)", kind.files, ["runtime: node", "handler: \(kind.handler)"])
                    #expect(try rig.invoke("f\(index)", "{}").text == #""a/b""#)
                }
            }
        }

        @Test func `gets the same event as a Python function, and its answer is inferred alike`() throws {
            let node = """
                exports.handler = async (event) => event.queryStringParameters?.case === 'echo' ? event
                  : JSON.parse(event.body);
                """
            let python = """
                import json
                def handler(event, context):
                    case = event.get("queryStringParameters", {}).get("case")
                    return event if case == "echo" else json.loads(event["body"])
                """
            try ServerRig.run { rig in
                try rig.deployNode("f", ["index.js": node])
                try rig.deploy("g", python: python)
                let headers = [("Cookie", "a=1; b=2"), ("X-Twice", "1"), ("X-Twice", "2"), ("Host", "example.org:80")]
                for (type, body) in [
                    ("text/plain", Array("é".utf8)), ("image/png", [0xff, 0]), ("text/plain", [0xff]),
                ] {
                    let events = try ["f", "g"].map { name in
                        let answer = try rig.send(
                            "POST", "/function/\(name)/a%20b/c?case=echo&x=%C3%A9+1&x=2&y",
                            headers: headers
                                + [("Content-Type", type)], body: body)
                        var event = try #require(
                            try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any])
                        var context = try #require(event["requestContext"] as? [String: Any])
                        for key in ["requestId", "time", "timeEpoch", "apiId", "domainPrefix"] { context[key] = nil }
                        event["requestContext"] = context
                        return NSDictionary(dictionary: event)
                    }
                    #expect(events[0] == events[1])
                }
                for body in [
                    #"{"statusCode": 418, "headers": {"X-A": "1"}, "cookies": ["a=1", "b=2"], "body": "tea"}"#,
                    #"{"statusCode": 200, "body": "AP8=", "isBase64Encoded": true}"#, #""text é""#, "3", "null",
                    #"{"statusCode": 200, "body": [1]}"#, #"{"statusCode": 99}"#,
                    #"{"statusCode": 200, "headers": [1]}"#,
                ] {
                    let answers = try ["f", "g"].map { try rig.post("/function/\($0)", body) }
                    #expect(answers[0].status == answers[1].status, "\(body)")
                    #expect(answers[0].header("Content-Type") == answers[1].header("Content-Type"), "\(body)")
                    if answers[0].status != 500 {
                        let texts = answers.map { $0.text.filter { $0 != " " } }
                        #expect(texts[0] == texts[1], "\(body)")
                    }
                }
            }
        }

        @Test func `streams, with a head of its own, and fails in mid-stream`() throws {
            let source = """
                const { pipeline } = require('node:stream/promises');
                exports.handler = awslambda.streamifyResponse(async (event, out, context) => {
                  const how = event.queryStringParameters.how;
                  if (how === 'early') throw new RangeError('early');
                  if (how === 'plain') { out.setContentType('text/x-plain'); out.write('plain'); return out.end(); }
                  const head = { statusCode: 201, headers: { 'X-A': 'b' }, cookies: ['c=1'] };
                  out = awslambda.HttpResponseStream.from(out, head);
                  out.write('one,');
                  if (how === 'late') throw new RangeError('late');
                  async function* pieces() { for (let i = 0; i < 1000; i++) yield Buffer.alloc(1000, 'x'); }
                  await pipeline(pieces, out);
                });
                """
            try ServerRig.run { rig in
                try rig.deployNode("f", ["index.js": source])

                let whole = try rig.get("/function/f?how=")
                #expect(whole.status == 201)
                #expect(whole.header("X-A") == "b")
                #expect(whole.header("Set-Cookie") == "c=1")
                #expect(whole.body.count == 1_000_004)
                let plain = try rig.get("/function/f?how=plain")
                #expect(plain.text == "plain")
                #expect(plain.header("Content-Type") == "text/x-plain")
                #expect(try rig.get("/function/f?how=early").text.contains("RangeError"))
                let client = try rig.connect()
                try client.send("GET /function/f?how=late HTTP/1.1\r\nHost: test\r\n\r\n")
                #expect(!String(decoding: try client.readToEnd(), as: UTF8.self).hasSuffix("0\r\n\r\n"))
            }
        }

        @Test func `has its errors, its ends and what it printed told`() throws {
            let source = """
                class OwnError extends Error { constructor(text) { super(text); this.name = 'OwnError'; } }
                exports.handler = (event, context, callback) => {
                  console.log('case', event.case);
                  process.stdout.write('raw line\\n');
                  console.error('to stderr');
                  switch (event.case) {
                    case 'throw': throw new OwnError('thrown');
                    case 'callback': return callback(new OwnError('called'));
                    case 'text': return callback('only text');
                    case 'reject': return Promise.reject(new OwnError('rejected'));
                    case 'uncaught': return setTimeout(() => { throw new OwnError('uncaught'); }, 1);
                    case 'unhandled': return void Promise.reject(new OwnError('unhandled'));
                    case 'circle': { const value = {}; value.value = value; return callback(null, value); }
                    case 'large': return callback(null, 'x'.repeat(2000));
                    case 'exit': return process.exit(7);
                    case 'sleep': return setTimeout(() => {}, 1e6);
                    default: return callback(null, 'fine');
                  }
                };
                """
            try ServerRig.run { rig in
                try rig.deployNode("f", ["index.js": source], ["bodyMax: 1KiB", "timeout: 2s"])
                for (name, code, words) in [
                    ("throw", "function-raised", "OwnError: thrown"),
                    ("callback", "function-raised", "OwnError: called"),
                    ("text", "function-raised", "string: only text"),
                    ("reject", "function-raised", "OwnError: rejected"),
                    ("uncaught", "function-raised", "OwnError: uncaught"),
                    ("unhandled", "function-raised", "Runtime.UnhandledPromiseRejection"),
                    ("circle", "function-raised", "Runtime.MarshalError"),
                    ("large", "function-raised", "Function.ResponseSizeTooLarge"),
                    ("exit", "worker-exited", "exit status 7"), ("sleep", "timed-out", "2s"),
                ] {
                    let answer = try rig.invoke("f", #"{"case": "\#(name)"}"#)
                    #expect(try JSON(parsing: answer.body)["code"]?.string == code, "\(name): \(answer.text)")
                    #expect(answer.text.contains(words), "\(name): \(answer.text)")
                    #expect(try rig.invoke("f", "{}").text == #""fine""#, "after \(name)")
                }
                let thrown = try JSON(parsing: try rig.invoke("f", #"{"case": "throw"}"#).body)
                let trace = thrown["functionError"]?["stackTrace"]?.array?.compactMap(\.string) ?? []
                #expect(trace.first == "OwnError: thrown")
                #expect(trace.count > 1 && !trace.contains { $0.contains("[eval]") }, "\(trace)")
                try rig.waitFor("the log") {
                    let text = try rig.logText(of: "f")
                    return ["\tINFO\tcase throw", "raw line", "\tERROR\tto stderr", "\tINFO\tcase exit"]
                        .allSatisfy { text.contains($0) }
                }
            }
        }

        @Test func `that can't be loaded is not deployed, and says why`() throws {
            try ServerRig.run { rig in
                for (source, handler, words) in [
                    ("exports.handler = (;", "index.handler", "Runtime.UserCodeSyntaxError"),
                    ("require('no-such-module');", "index.handler", "Runtime.ImportModuleError"),
                    ("exports.other = 1;", "index.handler", "index.handler is undefined or not exported"),
                    ("throw new RangeError('at the start');", "index.handler", "RangeError: at the start"),
                    ("process.exit(4);", "index.handler", "exit status 4"),
                    ("", "missing.handler", "missing.js"),
                ] {
                    let folder = try rig.lambdaFolder(
                        "bad", ["index.js": source], ["runtime: node", "handler: \(handler)"])
                    let result = try rig.taibai("deploy", folder)

                    #expect(!result.succeeded)
                    #expect(result.errors.contains(words), "\(result.errors)")
                }
            }
        }

        @Test func `runs several at once, each with its own log lines`() throws {
            let source = """
                let waiting = [];
                exports.handler = async (event, context) => {
                  await new Promise((go) => {
                    waiting.push(go);
                    if (waiting.length === 3) waiting.forEach((go) => go());
                  });
                  console.log('line of', event.n);
                  return context.awsRequestId;
                };
                """
            try ServerRig.run { rig in
                try rig.deployNode("f", ["index.js": source], ["concurrency: 3", "max: 1"])
                let clients = try (0..<3).map { _ in try rig.connect() }
                for (index, client) in clients.enumerated() {
                    let body = #"{"n": \#(index)}"#
                    try client.send(
                        "POST /v1/functions/f/invoke HTTP/1.1\r\nHost: test\r\n"
                            + "Content-Length: \(body.count)\r\n\r\n\(body)"
                    )
                }
                for (index, client) in clients.enumerated() {
                    let id = try client.readAnswer(to: "POST").text.filter { $0 != "\"" }
                    try rig.waitFor("its line") {
                        let lines = try rig.json("/v1/functions/f/logs?limit=100")["lines"]?.array ?? []
                        return lines.contains {
                            $0["execution"]?.string == id && $0["text"]?.string?.hasSuffix("line of \(index)") == true
                        }
                    }
                }
            }
        }

        @Test func `runs at level process too`() throws {
            try ServerRig.run(["--isolation", "process"]) { rig in
                try rig.deployNode("f", ["index.js": "exports.handler = async () => process.cwd();"])

                #expect(try rig.invoke("f", "{}").text.contains("/code"))
            }
        }
    }
}
