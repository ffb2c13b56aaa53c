// What a hostile function is run with, and what is asked of it: a server in one of the ways in which this machine can
// shut workers in, the function `attempts`, and beside it a function that has to go on answering.

import Client
import Foundation
import ServerSupport
import TestSupport
import Testing

/// The ways in which servers are run here.
enum Way: String, CaseIterable, CustomTestStringConvertible, Sendable {
    /// Started by root: sealed, with control groups where there are any.
    case root
    /// Started by a user: sealed, with namespaces of users.
    case user
    /// Where namespaces are refused, as in most containers.
    case guarded

    var testDescription: String {
        switch self {
        case .root: "sealed, started by root"
        case .user: "sealed, started by an ordinary user"
        case .guarded: "guarded, namespaces refused"
        }
    }

    var level: String { self == .guarded ? "guarded" : "sealed" }

    func start(without layer: String? = nil) -> ServerRig.Way {
        var way = ServerRig.Way()
        switch self {
        case .root: break
        case .user:
            way.command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            way.owner = 65_534
        case .guarded:
            way.command = ["python3", "\(Product.root)/Tests/HostileTests/without-namespaces.py"]
        }
        if let layer { way.environment["TAIBAI_WITHOUT_LAYER"] = layer }
        return way
    }

    /// Whether a server can be run so here: found out by running one.
    static let possible: Set<Way> = Set(
        allCases.filter { way in
            do {
                try ServerRig.run(["--isolation", way.level], way: way.start()) { _ in }
                return true
            } catch {
                print("\(way.testDescription): \(error)")
                return false
            }
        })
}

extension Capability {
    static func way(_ way: Way) -> Capability {
        Capability("a machine that can run workers \(way.testDescription)") { Way.possible.contains(way) }
    }
}

/// One server with the functions of this folder.
final class HostileRig {
    let rig: ServerRig
    let way: Way
    private let server: ProcessEntry
    private let descriptors: Int

    static func run(_ way: Way, without layer: String? = nil, _ body: (HostileRig) throws -> Void) throws {
        try ServerRig.run(["--isolation", way.level], way: way.start(without: layer)) { rig in
            try body(HostileRig(rig, way))
        }
    }

    private init(_ rig: ServerRig, _ way: Way) throws {
        self.rig = rig
        self.way = way
        for name in ["good", "attempts"] {
            let result = try rig.taibai("deploy", "\(Product.root)/Tests/HostileTests/functions/\(name)", "-o", "name")
            try #require(result.succeeded, "\(result.errors)")
        }
        server = try #require(ProcessEntry(rig.server.id))
        descriptors = try Self.descriptorCount(rig)
    }

    private static func descriptorCount(_ rig: ServerRig) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(rig.server.id)/fd").count
    }

    /// Facts of the host that an attempt needs to know what to aim at.
    private func event(_ attempt: String, _ more: [String: Any]) throws -> String {
        var event: [String: Any] = [
            "attempt": attempt, "data": rig.folder.path(of: "data"), "port": rig.port, "abstract": "taibai-hostile",
            "listen": 8099, "mark": UUID().uuidString, "host_file": rig.folder.path(of: "host-file"),
            "pids": ["the server": rig.server.id, "this test": getpid(), "the host's init": 1],
        ]
        event.merge(more) { $1 }
        return String(decoding: try JSONSerialization.data(withJSONObject: event), as: UTF8.self)
    }

    /// What came of an attempt: for each thing tried whether it was refused, and what was said.
    struct Tried {
        let what: String
        let isRefused: Bool
        let detail: JSON?
    }

    /// Lets the function make an attempt. The function has to answer.
    func attempt(_ name: String, _ more: [String: Any] = [:]) throws -> [Tried] {
        let answer = try rig.post("/v1/functions/attempts/invoke", try event(name, more))
        try #require(answer.status == 200, "\(name): \(answer.status) \(answer.text)")
        return try #require(try JSON(parsing: answer.body)["tried"]?.array).map { one in
            Tried(
                what: one["what"]?.string ?? "?", isRefused: one["refused"] == .bool(true), detail: one["detail"])
        }
    }

    /// The server is the same process, it holds no more descriptors than it may, and another function answers.
    func expectCalm(after what: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        #expect(server.isAlive, "\(what): the server has ended", sourceLocation: sourceLocation)
        let answer = try rig.post("/function/good")
        #expect(answer.status == 200, "\(what): \(answer.text)", sourceLocation: sourceLocation)
        let now = try Self.descriptorCount(rig)
        #expect(now < descriptors + 20, "\(what): \(now) descriptors", sourceLocation: sourceLocation)
    }
}
