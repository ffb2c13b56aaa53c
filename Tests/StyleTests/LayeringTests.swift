// Who may import whom. SwiftPM alone does not keep it: once a module is on disk, an import that was never declared
// compiles.

import Testing

/// What a room may import besides the standard library.
private struct Allowance {
    let rooms: Set<String>
    var packages: Set<String> = []
    /// Foundation, or a part of it.
    var foundation = false
    /// The C library and the primitives for threads.
    var system = true
}

@Suite struct `Layering` {
    /// The floors of the house, lowest first. A room imports only what stands here.
    private static let rooms: [String: Allowance] = [
        "Model": Allowance(rooms: [], system: false),
        "EventLoop": Allowance(rooms: ["Model", "CLibuv"]),
        "HTTP": Allowance(rooms: ["Model", "EventLoop"]),
        "Autoscaler": Allowance(rooms: ["Model"], system: false),
        "Store": Allowance(
            rooms: ["Model", "EventLoop", "CArchive", "CCrypto"], packages: ["DequeModule", "GRDB", "GRDBSQLite"],
            foundation: true),
        "Launcher": Allowance(rooms: ["Model", "EventLoop", "CLauncher", "RuntimeFiles"]),
        "Manifest": Allowance(rooms: ["Model"], packages: ["Yams"], foundation: true),
        "LambdaPayload": Allowance(rooms: ["Model"], system: false),
        "RuntimeAPI": Allowance(
            rooms: ["Model", "EventLoop", "HTTP", "LambdaPayload", "Launcher", "WorkerPool"]),
        "Egress": Allowance(rooms: ["Model", "EventLoop", "HTTP"]),
        "WorkerPool": Allowance(
            rooms: ["Model", "EventLoop", "Autoscaler", "Launcher"], packages: ["DequeModule"]),
        "Dispatcher": Allowance(
            rooms: ["Model", "EventLoop", "Autoscaler", "Store", "WorkerPool"], packages: ["DequeModule"]),
        "Gateway": Allowance(rooms: ["Model", "EventLoop", "HTTP", "WorkerPool", "Dispatcher"]),
        "Scheduler": Allowance(rooms: ["Model", "EventLoop", "Store", "Dispatcher"]),
        "ControlAPI": Allowance(
            rooms: [
                "Model", "EventLoop", "HTTP", "Autoscaler", "Store", "WorkerPool", "Dispatcher", "Scheduler",
                "Manifest", "Gateway",
            ], foundation: true),
        "QinlingAPI": Allowance(
            rooms: ["Model", "EventLoop", "HTTP", "Store", "WorkerPool", "Dispatcher", "ControlAPI"],
            foundation: true),
        "LambdaAPI": Allowance(
            rooms: [
                "Model", "EventLoop", "HTTP", "Store", "LambdaPayload", "WorkerPool", "Dispatcher", "Gateway",
                "ControlAPI",
            ], foundation: true),
        "Client": Allowance(rooms: ["Model"], foundation: true),
        "Server": Allowance(
            rooms: [
                "Model", "EventLoop", "HTTP", "Autoscaler", "Store", "Launcher", "Egress", "Manifest", "WorkerPool",
                "RuntimeAPI", "Dispatcher", "Gateway", "Scheduler", "ControlAPI", "QinlingAPI", "LambdaAPI",
                "RuntimeFiles",
            ], packages: ["Logging"], foundation: true),
        "taibai": Allowance(
            rooms: ["Model", "Server", "Client", "Manifest"], packages: ["ArgumentParser"], foundation: true),
    ]
    /// Rooms of C, which import nothing of ours.
    private static let borders: Set<String> = ["CLibuv", "CArchive", "CCrypto", "CLauncher"]
    private static let system: Set<String> = ["Glibc", "Synchronization", "Dispatch"]
    /// Zone rules come from Foundation; nothing else of Model may need it, since the hot path does not.
    private static let foundationInModel = "Sources/Model/Cron/"

    /// Only the C library promises to overwrite memory that nobody reads any more.
    private static let systemInModel = "Sources/Model/Secret.swift"

    @Test func `is kept by every import`() throws {
        for file in try Project.files.get() where file.area == "Sources" && file.language == .swift {
            for finding in Self.findings(in: file) { Issue.record("\(finding)") }
        }
    }

    @Test func `names every room, and no other`() throws {
        let found = Set(try Project.files.get().compactMap(\.room))
        #expect(found.subtracting(Self.rooms.keys).subtracting(Self.borders) == [])
        #expect(Set(Self.rooms.keys).subtracting(found) == [])
    }

    @Test func `has no circle`() {
        var settled: Set<String> = Self.borders.union(["RuntimeFiles"])
        var open = Self.rooms
        while let next = open.first(where: { $0.value.rooms.isSubset(of: settled) }) {
            settled.insert(next.key)
            open[next.key] = nil
        }
        #expect(open.keys.sorted() == [])
    }

    @Test(arguments: [
        ("Sources/Gateway/A.swift", "import Store"), ("Sources/Gateway/A.swift", "public import struct Launcher.Order"),
        ("Sources/HTTP/A.swift", "import Foundation"),
        ("Sources/HTTP/A.swift", "@testable import FoundationEssentials"),
        ("Sources/Store/A.swift", "internal import CLibuv"), ("Sources/Model/Time.swift", "import Foundation"),
        ("Sources/Model/A.swift", "import Glibc"), ("Sources/Client/A.swift", "import Server"),
        ("Sources/Attic/A.swift", "import Model"), ("Sources/Manifest/A.swift", "import GRDB"),
    ])
    func `notices an import that does not belong`(path: String, line: String) throws {
        let file = try #require(SourceFile(path: path, text: "// A\n\n\(line)\n"))
        #expect(Self.findings(in: file).count == 1)
    }

    @Test(arguments: [
        ("Sources/Gateway/A.swift", "public import Dispatcher"), ("Sources/Model/Cron/A.swift", "import Foundation"),
        ("Sources/Store/A.swift", "import GRDB"), ("Sources/HTTP/A.swift", "// import Foundation"),
        ("Sources/EventLoop/A.swift", "internal import Synchronization"),
        ("Sources/Model/Secret.swift", "import Glibc"),
        ("Sources/HTTP/A.swift", "important(\"import Store\")"),
    ])
    func `leaves the others alone`(path: String, line: String) throws {
        let file = try #require(SourceFile(path: path, text: "// A\n\n\(line)\n"))
        #expect(Self.findings(in: file) == [])
    }

    private static func findings(in file: SourceFile) -> [String] {
        guard let room = file.room, let allowance = rooms[room] else {
            return ["\(file.path): belongs to no room; name it in LayeringTests and in Sources/README.md"]
        }
        return imports(of: file).filter { !isAllowed($0.module, to: allowance, in: file) }.map {
            "\(file.path):\($0.line): \(room) may not import \($0.module): move what needs it to a room that may"
        }
    }

    private static func isAllowed(_ module: String, to allowance: Allowance, in file: SourceFile) -> Bool {
        if module.hasPrefix("Foundation") { return allowance.foundation || file.path.hasPrefix(foundationInModel) }
        return allowance.rooms.contains(module) || allowance.packages.contains(module)
            || ((allowance.system || file.path == systemInModel) && system.contains(module))
    }

    private static func imports(of file: SourceFile) -> [(line: Int, module: String)] {
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "typealias", "func", "var", "let"]
        return file.code.enumerated().compactMap { index, line in
            let words = line.split(separator: " ")
            guard let place = words.firstIndex(of: "import"),
                words[..<place].allSatisfy({ $0.hasPrefix("@") || accessLevels.contains($0) })
            else { return nil }
            let name = words[(place + 1)...].first { !kinds.contains($0) }
            return name.map { (index + 1, String($0.prefix { $0 != "." })) }
        }
    }

    private static let accessLevels: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]
}
