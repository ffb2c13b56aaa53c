// The launchers of this server: one that is shut in itself and gives level sealed, and one for the weaker levels where
// the operator has chosen one of them.

internal import EventLoop
internal import Launcher
internal import Model

/// Started, found able, and served by the loop. On the loop's thread.
final class Launchers {
    private let processes: [LauncherProcess]
    let all: [Launcher]
    /// For each level that may be used here the launcher that gives it: the operator's choice, and what is stronger.
    let byLevel: [IsolationLevel: Launcher]

    private init(processes: [LauncherProcess], loop: Loop, floor: IsolationLevel) throws(StartError) {
        self.processes = processes
        var all: [Launcher] = []
        var byLevel: [IsolationLevel: Launcher] = [:]
        for process in processes {
            let launcher = try StartError.wrap("launcher") { () throws(LoopError) in try process.attach(to: loop) }
            all.append(launcher)
            for level in launcher.abilities.levels where !level.isWeaker(than: floor) { byLevel[level] = launcher }
        }
        self.all = all
        self.byLevel = byLevel
    }

    /// Starts what is needed for `wanted`, and refuses to go below it.
    /// - Throws: ``StartError`` with the cure when the host can't give it.
    static func start(
        _ options: ServerOptions, wanted: IsolationLevel, data: DataFolder, user: ServiceUser?, loop: Loop
    ) throws(StartError) -> Launchers {
        var processes: [LauncherProcess] = []
        // The sealed one always: a function may ask for more than the server's level.
        for isSealed in wanted == .sealed ? [true] : [false, true] {
            var launch = LauncherOptions(packages: data.packages, isSealed: isSealed)
            launch.pythonPath = options.pythonPath
            launch.user = user?.user ?? 0
            launch.group = user?.group ?? 0
            let process = try StartError.wrap("launcher") { () throws(LaunchError) in
                try LauncherProcess.start(launch)
            }
            guard !isSealed || wanted == .sealed || process.abilities.levels.contains(.sealed) else {
                process.end()
                continue
            }
            processes.append(process)
        }
        let first = processes[0].abilities
        guard first.levels.contains(wanted) else {
            processes.forEach { $0.end() }
            let reason = first.missing[wanted].map { "\($0)" } ?? "the launcher does not say why"
            throw StartError(
                "isolation",
                "this host can't give '\(wanted.rawValue)': \(reason).\n"
                    + "  cure: \(IsolationAdvice.cure(for: first.missing[wanted], at: wanted))\n"
                    + "  or accept less, for code you trust: --isolation guarded, or --isolation process.\n"
                    + "  `taibai doctor` tells what works here and what does not")
        }
        return try Launchers(processes: processes, loop: loop, floor: wanted)
    }

    /// Every level that may be used here, strongest first.
    var levels: [IsolationLevel] { IsolationLevel.allCases.filter { byLevel[$0] != nil } }

    /// What holds memory and processes of workers at a level that may be used: `cgroup2`, `cgroup1` or `rlimit`.
    func limitsHolder(at level: IsolationLevel) -> String { byLevel[level]!.abilities.limits.rawValue }

    /// Ends every launcher, which kills every worker first.
    func close() {
        for launcher in all { launcher.close() }
    }

    /// Waits until they have ended. Blocks.
    func waitUntilEnded() {
        for process in processes { process.waitUntilEnded() }
    }
}

extension IsolationLevel {
    /// Whether it shuts workers away less than `other` does.
    func isWeaker(than other: IsolationLevel) -> Bool {
        let order = IsolationLevel.allCases
        return order.firstIndex(of: self)! > order.firstIndex(of: other)!
    }
}
