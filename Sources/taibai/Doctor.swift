// taibai doctor

import ArgumentParser
import Client
import Glibc
import Model
import Server

/// Looks whether everything that functions need is there.
struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check the server and this machine, and say what to do about what is missing.",
        discussion: """
            The exit code is 1 when something that is needed is missing.

              taibai doctor
              taibai doctor -o json
            """)

    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let client = try server.client()
        let findings = Examination(client: client).findings()
        switch format.output {
        case .json: try Results.write(list: findings.map(\.json))
        case .name: try Results.write(names: findings.filter { $0.status == .missing }.map(\.check))
        case .table: try Output.standard.write(findings.map { $0.text(for: .standard) }.joined())
        }
        if findings.contains(where: { $0.status == .missing }) { throw ExitCode(1) }
    }
}

/// The result of one check.
struct Finding {
    /// How it stands.
    enum Status: String {
        case ok
        /// Works, but should be known.
        case notice
        /// Needed and not there.
        case missing = "no"
    }

    let check: String
    let status: Status
    let detail: String
    /// What to do.
    var cure: String?

    var json: JSON {
        ["check": .string(check), "status": .string(status.rawValue), "detail": .string(detail), "cure": JSON(cure)]
    }

    /// `✓ server    …`, in words where standard output is no terminal.
    func text(for output: Output) -> String {
        let (sign, colour): (String, Output.Colour) =
            switch status {
            case .ok: ("✓", .green)
            case .notice: ("!", .yellow)
            case .missing: ("✗", .red)
            }
        let words = status.rawValue + String(repeating: " ", count: 6 - status.rawValue.count)
        let mark = output.isTerminal ? output.paint(colour, sign) : words
        let name = check + String(repeating: " ", count: max(0, 16 - check.count))
        let first = "\(mark) \(output.paint(.bold, name)) \(Printable.line(detail))\n"
        guard let cure else { return first }
        let indentation = String(repeating: " ", count: (output.isTerminal ? 1 : 6) + 18)
        return first + indentation + output.paint(.cyan, "cure:") + " \(Printable.line(cure))\n"
    }
}

/// All checks, in the order in which one thing needs the other.
struct Examination {
    let client: ControlClient
    var pythonPath = "/usr/bin/python3"

    /// One finding for each check that could be made.
    func findings() -> [Finding] { serverFindings() + [python()] + isolationHere() }

    /// What a server that this user starts on this machine could give. Only notices: the server may be another one.
    private func isolationHere() -> [Finding] {
        HostProbe.run(pythonPath: pythonPath).map { result in
            Finding(
                check: "\(result.check) here", status: result.isThere ? .ok : .notice, detail: result.detail,
                cure: result.isThere ? nil : result.cure)
        }
    }

    private func serverFindings() -> [Finding] {
        let state: RemoteServer
        do throws(ClientError) {
            state = try client.serverState()
        } catch {
            return [unreachable(error)]
        }
        let since = state.startedAt.map { ", up \(Human.span(MonotonicTime.wallNow - $0))" } ?? ""
        let found = Finding(check: "server", status: .ok, detail: "\(client.server) answers\(since)")
        return [found, version(state), isolation(state)] + runtimes()
    }

    private func unreachable(_ error: ClientError) -> Finding {
        let cure =
            switch error {
            case .refused(let refusal) where refusal.code == "unauthorized":
                "set TAIBAI_TOKEN, or name a file with --token-file"
            case .malformed: "something else listens there; check --server and TAIBAI_URL"
            case .refused, .timedOut, .input, .output: "look into the server's own log"
            case .unreachable, .interrupted: "start it with: taibai serve; or set TAIBAI_URL"
            }
        return Finding(check: "server", status: .missing, detail: error.description, cure: cure)
    }

    private func version(_ state: RemoteServer) -> Finding {
        state.version == Release.version
            ? Finding(check: "version", status: .ok, detail: "client and server are \(state.version)")
            : Finding(
                check: "version", status: .notice,
                detail: "the client is \(Release.version), the server \(state.version)",
                cure: "use the same release on both sides if a command behaves oddly")
    }

    private func isolation(_ state: RemoteServer) -> Finding {
        guard state.isolation == IsolationLevel.process.rawValue else {
            let also = state.levels.filter { $0 != state.isolation }
            let words =
                [state.isolation, "limits by \(state.limitsHolder)"]
                + (also.isEmpty ? [] : ["also \(also.joined(separator: ", "))"])
            return Finding(check: "isolation", status: .ok, detail: words.joined(separator: ", "))
        }
        return Finding(
            check: "isolation", status: .notice,
            detail: "process: functions run with the rights of the server's user",
            cure: "deploy only code you trust, or start the server with --isolation sealed")
    }

    private func runtimes() -> [Finding] {
        do throws(ClientError) {
            return try client.runtimes().map { runtime in
                let check = "runtime \(runtime.name)"
                guard !runtime.isAvailable else {
                    let what = [runtime.program, runtime.version].filter { !$0.isEmpty }.joined(separator: ", ")
                    return Finding(check: check, status: .ok, detail: what.isEmpty ? "available" : what)
                }
                return Finding(
                    check: check, status: .missing, detail: runtime.reason ?? runtime.status,
                    cure: runtime.program.isEmpty
                        ? "look into the server's own log"
                        : "install \(runtime.program) on the server's machine, then start the server again")
            }
        } catch {
            return [
                Finding(
                    check: "runtimes", status: .missing, detail: error.description,
                    cure: "look into the server's own log")
            ]
        }
    }

    /// Only a notice: what counts is the server's machine, which may be another one.
    private func python() -> Finding {
        guard access(pythonPath, X_OK) == 0 else {
            return Finding(
                check: "python3 here", status: .notice, detail: "\(pythonPath) is not on this machine",
                cure: "for a server on this machine: apt-get install python3")
        }
        return Finding(check: "python3 here", status: .ok, detail: pythonPath)
    }
}
