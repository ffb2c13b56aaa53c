// The real clients of AWS, from PyPI.

import Foundation
import ServerSupport
import TestSupport
import Testing

/// boto3 and the `aws` command.
enum LambdaClient {
    /// The versions that the API was held against. nil where they can't be had, for instance without a way to PyPI.
    private static let programs = PyPI.programs(
        "aws-client", ["boto3==1.43.11", "botocore==1.43.127", "awscli==1.46.3"])

    static let isThere = Capability("boto3, or a way to install it from PyPI") { programs != nil }

    /// The folder of `aws`.
    static var folder: String { get throws { try #require(programs) } }

    /// Runs one of the scripts in `lambda/`.
    static func run(_ script: String, _ arguments: [String]) throws -> ProcessResult {
        try ChildProcess.run(
            try folder + "/python", ["\(Product.root)/Tests/EndToEndTests/lambda/\(script).py"] + arguments,
            environment: ["PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nowhere"],
            folder: Product.root, within: .seconds(120))
    }
}
