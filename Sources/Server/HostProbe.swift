// What this machine can give, found out by trying: for `taibai doctor`, which runs without a server too.

internal import Foundation
internal import Launcher
internal import Model

/// One thing that a host can or can't do for isolation.
public struct ProbeResult: Hashable, Sendable {
    public let check: String
    /// `detail` says how it is, or what failed.
    public let isThere: Bool
    public let detail: String
    /// What to do where it is missing.
    public let cure: String?
}

/// Tries every level as this process's user.
public enum HostProbe {
    /// Starts a launcher of each kind, which tries its levels with throw-away workers, and ends it. Blocks for some
    /// ten milliseconds. Call it while the process has one thread.
    public static func run(pythonPath: String = "/usr/bin/python3") -> [ProbeResult] {
        var results: [ProbeResult] = []
        var abilities: [LauncherAbilities] = []
        for isSealed in [true, false] {
            let levels: [IsolationLevel] = isSealed ? [.sealed] : [.guarded, .process]
            switch tryOut(isSealed: isSealed, pythonPath: pythonPath) {
            case .success(let found):
                abilities.append(found)
                results += levels.map { result(of: $0, found) }
            case .failure(let error):
                results += levels.map { level in
                    ProbeResult(
                        check: level.rawValue, isThere: false, detail: error.description,
                        cure: IsolationAdvice.cure(for: error, at: level))
                }
            }
        }
        if let found = abilities.first { results += details(of: found) }
        return results
    }

    private static func tryOut(isSealed: Bool, pythonPath: String) -> Result<LauncherAbilities, LaunchError> {
        let folder = NSTemporaryDirectory() + "taibai-doctor-\(getpid())-\(isSealed)"
        guard mkdir(folder, 0o711) == 0 else { return .failure(LaunchError(step: .package, errno: errno)) }
        defer { rmdir(folder) }
        var options = LauncherOptions(packages: folder, isSealed: isSealed)
        options.pythonPath = pythonPath
        if geteuid() == 0 {
            options.user = ServiceUser.numberWithoutAccount
            options.group = ServiceUser.numberWithoutAccount
        }
        do throws(LaunchError) {
            let process = try LauncherProcess.start(options)
            defer { process.end() }
            return .success(process.abilities)
        } catch {
            return .failure(error)
        }
    }

    private static func result(of level: IsolationLevel, _ found: LauncherAbilities) -> ProbeResult {
        guard !found.levels.contains(level) else {
            return ProbeResult(check: level.rawValue, isThere: true, detail: Self.words(for: level), cure: nil)
        }
        let error = found.missing[level]
        return ProbeResult(
            check: level.rawValue, isThere: false, detail: error.map { "\($0)" } ?? "the launcher does not say why",
            cure: IsolationAdvice.cure(for: error, at: level))
    }

    private static func words(for level: IsolationLevel) -> String {
        switch level {
        case .sealed: "namespaces, own read-only root, no network, no capabilities, Landlock, seccomp: all steps work"
        case .guarded: "Landlock and seccomp work; other processes and the host's network stay visible"
        case .process: "processes of their own, with limits and without walls"
        }
    }

    private static func details(of found: LauncherAbilities) -> [ProbeResult] {
        let limits =
            switch found.limits {
            case .cgroup2: "control groups, version 2"
            case .cgroup1: "control groups, version 1"
            case .rlimit: "resource limits of each process only: memory and processes of a worker are not added up"
            }
        return [
            ProbeResult(
                check: "limits", isThere: found.limits != .rlimit, detail: limits,
                cure: geteuid() == 0
                    ? "mount /sys/fs/cgroup writable, with memory, pids and cpu"
                    : "start it with: systemd-run --user --scope -p Delegate=yes taibai serve"),
            ProbeResult(
                check: "users", isThere: found.hasOwnUsers,
                detail: found.hasOwnUsers
                    ? "each worker is a user of its own on this host" : "all workers are this user on this host",
                cure: "start taibai as root; it gives root up when it has what it needs"),
            ProbeResult(
                check: "freezer", isThere: true,
                detail: found.hasFreezer
                    ? "idle workers are frozen by their control group" : "idle workers are stopped by a signal",
                cure: nil),
            ProbeResult(
                check: "landlock", isThere: found.landlock >= 6,
                detail: found.landlock == 0
                    ? "the kernel has none"
                    : "version \(found.landlock)\(found.landlock >= 6 ? "" : ", without scopes for signals")",
                cure: "Linux 6.12 or newer has version 6"),
        ]
    }
}
