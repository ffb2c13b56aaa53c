// The files of a new function.

import Model

/// What `taibai new` writes.
enum NewTemplate {
    /// One file.
    struct File {
        let name: String
        let text: String
        var isExecutable = false
    }

    /// All files of a new function; the first is its manifest.
    static func files(name: FunctionName, runtime: RuntimeName) -> [File] {
        let program = program(name, runtime)
        return [
            File(name: "function.yaml", text: manifest(name, runtime)), program,
            File(name: "README.md", text: readme(name, program)),
            File(name: "event.json", text: "{\"name\": \"Ada\"}\n"),
        ]
    }

    private static let handlers: [RuntimeName: String] = [.python3: "main.handler", .node: "index.handler"]

    private static func manifest(_ name: FunctionName, _ runtime: RuntimeName) -> String {
        """
        name: \(name)
        runtime: \(runtime.rawValue)
        handler: \(handlers[runtime] ?? RuntimeName.bootstrap)
        # What else can be set, with what it is when it is not:
        # memory: 128MiB        # of one worker
        # timeout: 30s          # from arrival to the end of the answer
        # concurrency: 1        # executions that one worker may hold at once
        # min: 0                # workers kept although idle
        # max: 16               # workers at most
        # env:
        #   GREETING: Hello

        """
    }

    private static func program(_ name: FunctionName, _ runtime: RuntimeName) -> File {
        switch runtime {
        case .python3:
            File(
                name: "main.py",
                text: #"""
                    """\#(name): a function for Taibai."""
                    import json


                    def handler(event, context):
                        """Greets. What is returned becomes the body of the answer, as JSON."""
                        # Over HTTP the input is the body of the request; from a job it is the event itself.
                        data = json.loads(event.get("body") or "{}") if "requestContext" in event else event
                        name = data.get("name", "world")
                        print(f"greeting {name}")  # lands in: taibai logs \#(name)
                        return {"message": f"Hello, {name}!"}

                    """#)
        case .exec:
            File(
                name: "bootstrap",
                text: #"""
                    #!/usr/bin/env bash
                    # \#(name): a function for Taibai. The request's body comes on standard input; what is written to
                    # standard output is the body of the answer, and what goes to standard error is logged.
                    set -euo pipefail

                    input=$(cat)
                    echo "got ${#input} bytes" >&2 # lands in: taibai logs \#(name)
                    printf 'Hello! You sent: %s\n' "$input"

                    """#,
                isExecutable: true)
        case .node: nodeProgram(name)
        case .provided: pullingProgram(name)
        }
    }

    private static func nodeProgram(_ name: FunctionName) -> File {
        File(
            name: "index.mjs",
            text: #"""
                // \#(name): a function for Taibai.

                /** Greets. What is returned becomes the body of the answer, as JSON. */
                export async function handler(event, context) {
                  // Over HTTP the input is the body of the request; from a job it is the event itself.
                  const data = event.requestContext ? JSON.parse(event.body || '{}') : event;
                  const name = data.name || 'world';
                  console.log(`greeting ${name}`); // lands in: taibai logs \#(name)
                  return { message: `Hello, ${name}!` };
                }

                """#)
    }

    private static func pullingProgram(_ name: FunctionName) -> File {
        File(
            name: RuntimeName.bootstrap,
            text: #"""
                #!/usr/bin/env bash
                # \#(name): a function for Taibai, and for AWS Lambda's provided runtimes. It asks for events and
                # answers each; what it prints is logged. Over HTTP the input is in the event's "body".
                set -euo pipefail

                api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
                headers=$(mktemp)
                while true; do
                    event=$(curl -sS -D "$headers" "$api/next")
                    id=$(sed -n 's/^lambda-runtime-aws-request-id: *\([0-9a-f-]*\).*/\1/Ip' "$headers")
                    echo "got ${#event} bytes" # lands in: taibai logs \#(name)
                    curl -sS -o /dev/null -d "{\"message\": \"Hello!\"}" "$api/$id/response"
                done

                """#,
            isExecutable: true)
    }

    private static func readme(_ name: FunctionName, _ program: File) -> String {
        """
        # \(name)

        | file | what it is |
        |---|---|
        | `function.yaml` | the settings |
        | `\(program.name)` | the code |
        | `event.json` | an input to test with |

        ```
        taibai deploy
        taibai invoke \(name) -d @event.json
        curl localhost:8080/function/\(name) -d '{"name":"Ada"}'
        taibai logs \(name)
        ```

        """
    }
}
