// Flags of `taibai deploy` about asynchronous calls.

import ArgumentParser

/// How asynchronous calls of a function are tried again, and who is told of their end.
struct DeployPromiseFlags: ParsableArguments {
    @Option(help: "Further attempts of an asynchronous call that failed.")
    var retries: String?

    @Option(help: ArgumentHelp("The wait before the first of them; it doubles each time.", valueName: "duration"))
    var retryDelay: String?

    @Option(help: ArgumentHelp("Give an asynchronous call up when it is older than this.", valueName: "duration"))
    var maxEventAge: String?

    @Option(help: ArgumentHelp("How long the result of an asynchronous call is kept.", valueName: "duration"))
    var keepResult: String?

    @Option(help: ArgumentHelp("Tell this one when an asynchronous call went well.", valueName: "function:name"))
    var onSuccess: String?

    @Option(help: ArgumentHelp("Tell this one when an asynchronous call failed.", valueName: "function:name"))
    var onFailure: String?

    /// By the keys of function.yaml.
    var settings: [(name: String, value: String?)] {
        [
            ("retries", retries), ("retryDelay", retryDelay), ("maxEventAge", maxEventAge), ("keepResult", keepResult),
            ("onSuccess", onSuccess), ("onFailure", onFailure),
        ]
    }
}
