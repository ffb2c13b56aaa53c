// The files of this folder that run inside a worker, carried in the one binary.

/// Sources of the worker programs, as bytes embedded at build time.
public enum RuntimeFiles {
    /// The program that loads once and is cloned for each python3 worker.
    public static var pythonZygote: [UInt8] { PackageResources.zygote_py }

    /// What runs inside each python3 worker: for each part its file's name, a line's end, its text and a NUL byte.
    public static var pythonWorker: [UInt8] {
        part("channel.py", PackageResources.channel_py) + part("payload.py", PackageResources.payload_py)
            + part("context.py", PackageResources.context_py) + part("qinling.py", PackageResources.qinling_py)
            + part("worker.py", PackageResources.worker_py)
    }

    private static func part(_ name: String, _ text: [UInt8]) -> [UInt8] {
        Array("\(name)\n".utf8) + text + [0]
    }
}
