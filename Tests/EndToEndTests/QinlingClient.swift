// The real clients of Qinling, from PyPI.

import Foundation
import ServerSupport
import TestSupport
import Testing

/// python-qinlingclient and the `openstack` command, and schemathesis, each in an environment of its own.
enum QinlingClient {
    /// The versions that the contract was taken from; setuptools for their `pkg_resources`. nil where they can't be
    /// had, for instance without a way to PyPI.
    private static let programs = PyPI.programs(
        "qinling-client", ["python-qinlingclient==5.1.1", "python-openstackclient==10.5.0", "setuptools<81"])
    private static let schemathesis = PyPI.programs("schemathesis", ["schemathesis==4.32.5"])

    static let isThere = Capability("python-qinlingclient, or a way to install it from PyPI") { programs != nil }
    static let hasSchemathesis = Capability("schemathesis, or a way to install it from PyPI") { schemathesis != nil }

    /// Lets schemathesis try everything that the server's document allows, and some of what it does not.
    static func tryEverything(at url: String, folder: String) throws -> ProcessResult {
        let checks =
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
        return try ChildProcess.run(
            try #require(schemathesis) + "/schemathesis",
            [
                "run", url + "/v1/openapi.json", "--url", url, "--header", "X-Auth-Token: notused", "--checks", checks,
                "--max-examples", "5", "--seed", "1", "--phases", "coverage,fuzzing",
            ], folder: folder, within: .seconds(300))
    }

    /// Runs one of its programs.
    static func run(
        _ program: String, _ arguments: [String], environment: [String: String?] = [:]
    ) throws -> ProcessResult {
        try ChildProcess.run(
            try #require(programs) + "/" + program, arguments,
            environment: environment.merging(["PYTHONWARNINGS": "ignore"]) { $1 }, folder: Product.root,
            within: .seconds(120))
    }
}

extension ServerRig {
    /// Stops the server and starts it anew on the same folder.
    func restart() throws {
        try stop()
        try startAgain()
    }
}
