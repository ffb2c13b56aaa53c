// ManifestTests
