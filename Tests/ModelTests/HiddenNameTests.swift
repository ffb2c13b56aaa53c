// Which functions only their project's own door leads to.

import Model
import Testing

@Suite struct `A hidden function` {
    private static let digits = String(repeating: "0a", count: 16)

    private func version(_ name: String, _ contract: Contract) throws -> FunctionVersion {
        var settings = FunctionSettings(name: try FunctionName(name), runtime: .python3, handler: "main.handler")
        settings.contract = contract
        let package = try #require(PackageDigest(Self.digits + Self.digits))
        return FunctionVersion(
            number: try #require(VersionNumber(1)), settings: settings, package: package,
            packageSize: .kibibytes(1), createdAt: WallTime(seconds: 0))
    }

    @Test(arguments: [
        ("lambda-\(digits)", Contract.lambda), ("lambda-\(digits)", .qinling), ("qinling-\(digits)", .qinling),
    ])
    func `has a prefix and 32 digits`(name: String, contract: Contract) throws {
        #expect(try version(name, contract).isHidden)
    }

    @Test(arguments: [
        ("lambda-hello", Contract.lambda), ("lambda-\(digits.dropLast())", .lambda), ("lambda-\(digits)0", .lambda),
        ("lambda-\(digits.dropLast())g", .lambda), ("qinling-\(digits)", .lambda), ("qinling-hello", .qinling),
        ("hello", .qinling),
    ])
    func `is no other`(name: String, contract: Contract) throws {
        #expect(try !version(name, contract).isHidden)
    }
}
