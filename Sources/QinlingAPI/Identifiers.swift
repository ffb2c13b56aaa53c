// Identities of resources: UUIDs of version 4 from the system's generator, since a webhook's id is also its secret.

internal import Model

enum ResourceID {
    /// Dashed, in lower case.
    static func make() -> String {
        var random = SystemRandomNumberGenerator()
        let high = random.next() & ~0xF000 | 0x4000
        let low = random.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        return ExecutionID(value: UInt128(high) << 64 | UInt128(low)).description
    }

    /// - Returns: the dashed form in lower case; nil when `text` is no UUID.
    static func parse(_ text: String) -> String? { ExecutionID(text)?.description }

    static func fault(_ field: String, _ text: String) -> Fault {
        .value(
            field, text,
            "unable to convert to uuid. Error: Expected a uuid but received \(text.prefix(80)).")
    }
}

extension WallTime {
    /// As Qinling writes times: whole seconds, UTC.
    var qinling: String { WallTime(seconds: seconds).iso8601 }
}
