// Packages from PyPI for tests with real clients, in folders beside the build that later runs use again.

import Foundation
import TestSupport

package enum PyPI {
    /// The folder of the programs of a virtual environment with these packages; nil where they can't be had, for
    /// instance without a way to PyPI.
    package static func programs(_ name: String, _ packages: [String]) -> String? {
        let folder = folder(name)
        let isThere = complete(folder) {
            [
                ["/usr/bin/python3", "-m", "venv", "--clear", folder],
                [folder + "/bin/pip", "install", "--quiet", "--disable-pip-version-check"] + packages,
            ]
        }
        return isThere ? folder + "/bin" : nil
    }

    /// A folder with the files of these packages alone; nil likewise.
    package static func files(_ name: String, _ packages: [String]) -> String? {
        let folder = folder(name)
        guard let pip = programs("pip", ["pip"]) else { return nil }
        let isThere = complete(folder) {
            [
                [pip + "/pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]
                    + ["--target", folder + "/files"] + packages
            ]
        }
        return isThere ? folder + "/files" : nil
    }

    private static func folder(_ name: String) -> String { Product.root + "/.build/pypi-" + name }

    /// Runs the commands that fill a folder, unless that was done before.
    private static func complete(_ folder: String, _ commands: () -> [[String]]) -> Bool {
        if FileManager.default.fileExists(atPath: folder + "/complete") { return true }
        for command in commands() {
            let result = try? ChildProcess.run(
                command[0], Array(command.dropFirst()), folder: Product.root, within: .seconds(300))
            guard result?.succeeded == true else { return false }
        }
        return FileManager.default.createFile(atPath: folder + "/complete", contents: nil)
    }
}
