// swift-tools-version:6.2
// Compares our HTTP parser with llhttp, the parser of Node.js, which comes with swift-nio. A package of its own, so
// that the product never resolves swift-nio: run it with `swift test --package-path Tests/Differential`.
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "differential",
    dependencies: [.package(url: "https://github.com/apple/swift-nio", exact: "2.101.2")],
    targets: [
        // A link to Sources/HTTP, of which only the files that need no other room are compiled.
        .target(
            name: "HTTP", path: "Room",
            sources: [
                "Bytes.swift", "ChunkedDecoder.swift", "HeadScanner.swift", "HopByHop.swift", "HTTPLimits.swift",
                "RequestFacts.swift", "RequestHead.swift", "RequestParser.swift", "RequestRefusal.swift",
                "RequestTarget.swift",
            ], swiftSettings: strict),
        // CNIOLLHTTP is no product of swift-nio; a target that depends on NIOHTTP1 can import it all the same.
        .target(
            name: "Oracle", dependencies: [.product(name: "NIOHTTP1", package: "swift-nio")], path: "Oracle",
            swiftSettings: strict),
        .target(name: "TestSupport", path: "Support", sources: ["SplitMix64.swift"], swiftSettings: strict),
        .testTarget(
            name: "DifferentialTests", dependencies: ["HTTP", "Oracle", "TestSupport"], path: "Tests",
            swiftSettings: strict),
    ]
)
