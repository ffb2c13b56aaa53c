// swift-tools-version:6.2
// The rooms of Taibai and who may import whom. Sources/README.md draws the picture;
// Tests/StyleTests/LayeringTests.swift keeps the imports to it.
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    // The hot path crosses seven rooms: without the first, generics and closures stay unspecialized at each border.
    .unsafeFlags(
        ["-cross-module-optimization", "-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

func room(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies + ["TestSupport"], exclude: exclude, swiftSettings: strict)
}

let package = Package(
    name: "taibai",
    products: [.executable(name: "taibai", targets: ["taibai"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // Floor 0: C at the border.
        .systemLibrary(name: "CLibuv", pkgConfig: "libuv", providers: [.apt(["libuv1-dev"])]),
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .target(
            name: "CLauncher",
            cSettings: [
                .define("_GNU_SOURCE"), .define("TAIBAI_CONTROL_RUNS", .when(configuration: .debug)),
                .unsafeFlags(["-Wall", "-Wextra"]),
            ]),
        // What runs inside a worker: Runtime/*, embedded into the one binary.
        .target(
            name: "RuntimeFiles", path: "Runtime",
            exclude: [
                "README.md", "up", "install.sh", "packages", "python3/README.md", "exec/README.md", "node/README.md",
                "provided/README.md",
            ],
            sources: ["RuntimeFiles.swift"],
            resources: ["zygote", "channel", "payload", "context", "qinling", "worker"].map {
                .embedInCode("python3/\($0).py")
            } + ["channel", "payload", "worker"].map { .embedInCode("node/\($0).js") },
            swiftSettings: strict),
        // Floor 1: nouns and the loop.
        room("Model"),
        room("EventLoop", ["CLibuv", "Model"]),
        // Floor 2: tools.
        room("HTTP", ["Model", "EventLoop"]),
        room("Autoscaler", ["Model"]),
        room(
            "Store",
            [
                "Model", "EventLoop", "CArchive", "CCrypto",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ]),
        room("Launcher", ["Model", "EventLoop", "CLauncher", "RuntimeFiles"]),
        room("Manifest", ["Model", .product(name: "Yams", package: "Yams")]),
        room("LambdaPayload", ["Model"]),
        // Floor 3: the way out of workers.
        room("Egress", ["Model", "EventLoop", "HTTP"]),
        // Floors 3 and 4: the engine.
        room(
            "WorkerPool",
            [
                "Model", "EventLoop", "Autoscaler", "Launcher",
                .product(name: "DequeModule", package: "swift-collections"),
            ]),
        room("RuntimeAPI", ["Model", "EventLoop", "HTTP", "LambdaPayload", "Launcher", "WorkerPool"]),
        room(
            "Dispatcher",
            [
                "Model", "EventLoop", "Autoscaler", "Store", "WorkerPool",
                .product(name: "DequeModule", package: "swift-collections"),
            ]),
        // Floor 5: doors.
        room("Gateway", ["Model", "HTTP", "WorkerPool", "Dispatcher"]),
        room("Scheduler", ["Model", "EventLoop"]),
        room(
            "ControlAPI",
            ["Model", "EventLoop", "HTTP", "Autoscaler", "Store", "WorkerPool", "Dispatcher", "Scheduler", "Manifest"]),
        room(
            "QinlingAPI",
            ["Model", "EventLoop", "HTTP", "Store", "WorkerPool", "Dispatcher", "ControlAPI"]),
        room(
            "LambdaAPI",
            [
                "Model", "EventLoop", "HTTP", "Store", "LambdaPayload", "WorkerPool", "Dispatcher", "Gateway",
                "ControlAPI",
            ],
            exclude: ["README.md"]),
        room("Client", ["Model"]),
        // Floors 6 and 7: the house and its handle.
        room(
            "Server",
            [
                "Model", "EventLoop", "HTTP", "Store", "Launcher", "Egress", "WorkerPool", "RuntimeAPI", "Dispatcher",
                "Gateway", "Scheduler", "ControlAPI", "QinlingAPI", "LambdaAPI",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .executableTarget(
            name: "taibai",
            dependencies: [
                "Model", "Server", "Client", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], swiftSettings: strict),
        // Tests, a target per room, then the ones that see the whole.
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
        .target(
            name: "EngineSupport", dependencies: ["Model", "EventLoop", "WorkerPool", "Dispatcher", "TestSupport"],
            path: "Tests/EngineSupport", swiftSettings: strict),
        .target(
            name: "ServerSupport", dependencies: ["Client", "Model", "TestSupport"], path: "Tests/ServerSupport",
            swiftSettings: strict),
        // The vectors under Data are read by path, since they are also what people look at.
        tests("ModelTests", ["Model"], exclude: ["Data"]),
        tests("EventLoopTests", ["EventLoop", "CLibuv", "Model"]),
        tests("HTTPTests", ["HTTP", "EventLoop", "Model"]),
        tests("AutoscalerTests", ["Autoscaler", "EngineSupport", "Model"]),
        tests("StoreTests", ["Store", "Model", "EventLoop"]),
        tests("LauncherTests", ["Launcher", "CLauncher", "Model", "EventLoop"]),
        tests("WorkerPoolTests", ["WorkerPool", "EngineSupport", "Model", "EventLoop", "Autoscaler"]),
        tests("DispatcherTests", ["Dispatcher", "EngineSupport", "WorkerPool", "Store", "Model", "EventLoop"]),
        tests("SchedulerTests", ["Scheduler", "Dispatcher", "WorkerPool", "Store", "Model", "EventLoop"]),
        tests("EgressTests", ["Egress", "HTTP", "EventLoop", "Model"]),
        tests("LambdaPayloadTests", ["LambdaPayload", "Model"]),
        tests("RuntimeAPITests", ["RuntimeAPI", "WorkerPool", "Model"]),
        tests("ManifestTests", ["Manifest", "Model"]),
        tests("QinlingAPITests", ["QinlingAPI", "ControlAPI", "Store", "Model"]),
        tests("LambdaAPITests", ["LambdaAPI", "ControlAPI", "HTTP", "Store", "Model"]),
        tests("ClientTests", ["Client", "taibai", "Model"]),
        tests("SimulationTests", ["EngineSupport", "Dispatcher", "WorkerPool", "Autoscaler", "Model", "EventLoop"]),
        tests("StyleTests", []),
        tests("EndToEndTests", ["Client", "Model", "ServerSupport"], exclude: ["qinling", "lambda"]),
        tests("HostileTests", ["Client", "Model", "ServerSupport"], exclude: ["functions", "without-namespaces.py"]),
    ]
)
