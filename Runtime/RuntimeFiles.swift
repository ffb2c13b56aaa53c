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

    /// What runs inside each node worker: one script, in which the parts load each other by name.
    public static var nodeWorker: [UInt8] {
        let loading = """
            const load = ((parts, made) => (name) => {
              if (!made[name]) parts[name](made[name] = { exports: {} });
              return made[name].exports;
            })({

            """
        return Array(loading.utf8) + module("channel", PackageResources.channel_js)
            + module("payload", PackageResources.payload_js) + Array("}, {});\n(() => {\n".utf8)
            + PackageResources.worker_js + Array("})();\n".utf8)
    }

    private static func module(_ name: String, _ text: [UInt8]) -> [UInt8] {
        Array("\(name)(module) {\n".utf8) + text + Array("},\n".utf8)
    }

    private static func part(_ name: String, _ text: [UInt8]) -> [UInt8] {
        Array("\(name)\n".utf8) + text + [0]
    }
}
