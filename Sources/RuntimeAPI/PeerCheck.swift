// Whose a connection is, where the Runtime API has to listen on a loopback that others see too: the socket at the other
// end is looked up, and has to be the worker's. The protocol itself knows no secret. Reads /proc; Linux only.
// Source: proc(5), proc_net_tcp.

internal import Glibc

/// The check of one worker's connections.
struct PeerCheck {
    /// Processes of a worker that are looked through. Clients of the Runtime API are few.
    static let processesMax = 512
    /// Descriptors of a process that are looked through.
    static let descriptorsMax = 4096

    /// The worker's first process.
    let pid: Int32

    /// Whether the connection from `peerPort` to `ownPort`, both on 127.0.0.1, was made by the worker.
    func isOurs(peerPort: Int, ownPort: Int) -> Bool {
        guard let socket = Self.socket(from: peerPort, to: ownPort) else { return false }
        var about = stat()
        guard stat("/proc/\(pid)", &about) == 0 else { return false }
        // A user of its own on this host says it all, and what it has open can't be looked at.
        if about.st_uid != geteuid() { return socket.user == about.st_uid }
        return holds("socket:[\(socket.inode)]")
    }

    /// The user and the inode of the client's end.
    private static func socket(from peerPort: Int, to ownPort: Int) -> (user: UInt32, inode: String)? {
        // The address 127.0.0.1 in the order of this machine's bytes, as the file has it.
        let local = "0100007F:" + hexadecimal(peerPort)
        let remote = "0100007F:" + hexadecimal(ownPort)
        guard let table = read("/proc/net/tcp") else { return nil }
        for line in table.split(separator: UInt8(ascii: "\n")).dropFirst() {
            let words = line.split(separator: UInt8(ascii: " "), maxSplits: 10)
            guard words.count > 9, words[1].elementsEqual(local.utf8), words[2].elementsEqual(remote.utf8) else {
                continue
            }
            guard let user = UInt32(String(decoding: words[7], as: UTF8.self)) else { return nil }
            return (user, String(decoding: words[9], as: UTF8.self))
        }
        return nil
    }

    private static func hexadecimal(_ port: Int) -> String {
        let digits = String(port, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
    }

    /// Whether the worker, or a process that it has started, has this open.
    private func holds(_ target: String) -> Bool {
        var open = [pid]
        var seen = 0
        while let process = open.popLast(), seen < Self.processesMax {
            seen += 1
            if Self.process(process, holds: target) { return true }
            open += Self.children(of: process)
        }
        return false
    }

    private static func process(_ pid: Int32, holds target: String) -> Bool {
        var found = false
        forEachName(in: "/proc/\(pid)/fd", most: descriptorsMax) { name in
            guard !found else { return }
            var buffer = [UInt8](repeating: 0, count: 64)
            let count = buffer.withUnsafeMutableBytes {
                readlink("/proc/\(pid)/fd/\(name)", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
            }
            found = count > 0 && buffer[..<count].elementsEqual(target.utf8)
        }
        return found
    }

    private static func children(of pid: Int32) -> [Int32] {
        var children: [Int32] = []
        forEachName(in: "/proc/\(pid)/task", most: processesMax) { thread in
            guard let list = read("/proc/\(pid)/task/\(thread)/children") else { return }
            let pids = list.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
            children += pids.compactMap { Int32($0) }
        }
        return children
    }

    private static func forEachName(in folder: String, most: Int, _ body: (String) -> Void) {
        guard let stream = opendir(folder) else { return }
        defer { closedir(stream) }
        var left = most
        while left > 0, let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.utf8.first != UInt8(ascii: ".") { body(name) }
            left -= 1
        }
    }

    /// A file of /proc, whole; 16 MiB at the most: a hundred thousand connections.
    private static func read(_ path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count < 16 << 20 {
            let count = Glibc.read(file, &piece, piece.count)
            guard count > 0 else { return count == 0 ? bytes : nil }
            bytes += piece[..<count]
        }
        return bytes
    }
}
