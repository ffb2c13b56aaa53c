// The functions that come with the product do what their READMEs say.

import Foundation
import ServerSupport
import TestSupport
import Testing

extension EndToEnd {
    @Suite struct `The examples` {
        static let names: [String] = {
            let found = (try? FileManager.default.contentsOfDirectory(atPath: "\(Product.root)/Functions")) ?? []
            return found.filter { !$0.contains(".") }.sorted()
        }()

        @Test(arguments: names) func `do what their READMEs show`(name: String) throws {
            let session = Session(markdown: try Product.text(of: "Functions/\(name)/README.md"))

            try ServerRig.run { rig in try session.run(on: rig) }
        }

        @Test(arguments: names) func `have settings, and a README that deploys and calls them`(name: String) throws {
            let session = Session(markdown: try Product.text(of: "Functions/\(name)/README.md"))
            let settings = try Product.text(of: "Functions/\(name)/function.yaml")

            #expect(settings.hasPrefix("name: \(name)\n"))
            #expect(session.steps.contains { $0.command.hasPrefix("taibai deploy Functions/\(name) ") })
            #expect(session.steps.contains { $0.command.contains("curl ") && !$0.output.isEmpty })
        }

        @Test func `are all in the list of examples`() throws {
            let list = try Product.text(of: "Functions/README.md")

            for name in Self.names { #expect(list.contains("(\(name)/)"), "Functions/README.md does not name \(name)") }
        }
    }

    @Suite struct `The README` {
        @Test(arguments: ["README.md", "Functions/README.md", "Runtime/README.md", "Tests/README.md"])
        func `shows what happens`(path: String) throws {
            let session = Session(markdown: try Product.text(of: path))

            try ServerRig.run { rig in try session.run(on: rig) }
        }

        @Test func `begins with a session on its first screen`() throws {
            let screen = try Product.text(of: "README.md").split(separator: "\n", omittingEmptySubsequences: false)
                .prefix(40).joined(separator: "\n")

            #expect(Session(markdown: screen + "\n").steps.count >= 5)
        }

        @Test(arguments: [
            ("a\nb\n", "a\nb", true), ("id 7, ok", "id …, ok", true), ("a\nb\nc", "a\n…\nc", true),
            ("a\nb\nc", "a\nc", false), ("a.b", "a+b", false), ("took 7ms", "took  1.5s", true),
            ("2026-11-23T15:00:00.123Z", "2027-01-01T00:00:00Z", true), ("7 workers", "8 workers", false),
        ])
        func `is compared with what happened, but for what differs each time`(got: String, wanted: String, same: Bool)
            throws
        {
            #expect(try Session.matches(got, wanted) == same)
        }
    }
}
