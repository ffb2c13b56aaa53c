// The entry to the server: checks what can be checked before anything is opened, starts the launcher while the process
// has one thread, and builds the house.

internal import ControlAPI
internal import EventLoop
internal import Foundation
internal import LambdaAPI
internal import Launcher
internal import Logging
internal import Model
internal import Store

/// Runs a server.
public enum ServerMain {
    /// Serves until SIGTERM or SIGINT. Blocks; call it on the main thread, before any other thread exists.
    /// - Returns: the exit code: 0 after a clean stop, 1 when it could not start or had to give up, 2 for options that
    ///   make no sense. Reasons are on standard error.
    public static func run(_ options: ServerOptions) -> Int32 {
        do {
            guard let format = LineLog.Format(rawValue: options.logFormat) else {
                throw StartError("log format", "'\(options.logFormat)' is none; use text or json")
            }
            let log = Logger(label: "taibai") { LineLog(label: $0, format: format) }
            // What may need root comes first, while there is one thread; then root is given up for good.
            let tokens = try tokens(options)
            let access = try access(options)
            // Packages are for workers to read, whoever they are.
            umask(0o022)
            let user = try ServiceUser.choose(options.user)
            let data = try DataFolder.prepare(options.dataDirectory, owner: user)
            let loop = try StartError.wrap("event loop") { () throws(LoopError) in try Loop() }
            let wanted = try isolation(options)
            let secretKey = try options.secretKeyFile.map { file in
                try StartError.wrap("secret key") { () throws(SecretKeyError) in
                    try SecretKey.load(file, mayCreate: true)
                }
            }
            let launchers = try Launchers.start(options, wanted: wanted, data: data, user: user, loop: loop)
            let service = Doors.Service()
            let doors = try Doors(loop: loop, addresses: options.listen, serve: service)
            try user?.become()
            let foundations = House.Foundations(
                loop: loop, launchers: launchers, doors: doors, service: service, data: data, secretKey: secretKey)
            let house = try data.inGivenWords {
                try House(options, log: log, on: foundations, isolation: wanted, tokens: tokens, access: access)
            }
            try house.run()
            return house.exitCode
        } catch {
            FileHandle.standardError.write(Foundation.Data("error: \(error)\n".utf8))
            return 1
        }
    }

    /// The whole life of a process that the server's launcher has started to take an archive apart.
    /// - Returns: its exit status.
    public static func unpack() -> Int32 { PackageUnpacking.runAsProcess() }

    /// The program name under which this binary is that process.
    public static let unpackerName = LauncherProcess.unpackerName

    private static func isolation(_ options: ServerOptions) throws(StartError) -> IsolationLevel {
        guard let wanted = IsolationLevel(rawValue: options.isolation) else {
            let known = IsolationLevel.allCases.map(\.rawValue).joined(separator: ", ")
            throw StartError("isolation", "'\(options.isolation)' is none; use one of \(known)")
        }
        return wanted
    }

    /// Without access keys the Lambda API is open where the control API is, and closed elsewhere.
    private static func access(_ options: ServerOptions) throws(StartError) -> AccessPolicy {
        guard let path = options.accessKeysFile else {
            let isLocal = options.listen.allSatisfy { ListenAddress($0)?.isLoopback ?? false }
            return isLocal && options.tokensFile == nil ? .open : .closed
        }
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw StartError("access key file \(path)", "can't be read")
        }
        return try StartError.wrap("access key file \(path)") { () throws(AccessKeyFileError) in
            .keys(try AccessKeys(parsing: String(decoding: bytes, as: UTF8.self)))
        }
    }

    /// Without tokens the control API is open to everybody who can connect, so only this machine may.
    private static func tokens(_ options: ServerOptions) throws(StartError) -> Tokens {
        guard let path = options.tokensFile else {
            for text in options.listen where ListenAddress(text)?.isLoopback == false {
                throw StartError(
                    "listen \(text)",
                    "others than this machine could deploy functions there, and no token is configured; give "
                        + "--tokens FILE (a line each: TOKEN PROJECT admin|member), or listen on localhost")
            }
            return .none()
        }
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw StartError("token file \(path)", "can't be read")
        }
        return try StartError.wrap("token file \(path)") { () throws(TokenFileError) in
            try Tokens(parsing: String(decoding: bytes, as: UTF8.self))
        }
    }
}
