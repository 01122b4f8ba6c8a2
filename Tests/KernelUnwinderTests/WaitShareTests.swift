import CUnwindTable
@testable import KernelUnwinder
import Testing

/// The share of waits that is sampled.
@Suite struct WaitShareTests {
    private static let round = WaitSampler.round

    @Test func manyWaitsHaveASmallShare() {
        var share = WaitShare()
        #expect(share.share == 1)
        share.endRound(waits: 1000 * WaitShare.target, seconds: Self.round)
        #expect(share.share == 0.001)
        // The same number in twice the time.
        share.endRound(waits: 1000 * WaitShare.target, seconds: 2 * Self.round)
        #expect(share.share == 0.002)
    }

    @Test func shareRisesAgainStepByStep() {
        var share = WaitShare()
        share.endRound(waits: 1e5 * WaitShare.target, seconds: Self.round)
        var shares: [Double] = []
        for _ in 0..<12 {
            share.endRound(waits: 0, seconds: Self.round)
            shares.append(share.share)
        }
        #expect(shares.first == 4e-5 && shares.last == 1 && shares == shares.sorted())
    }

    @Test func shareIsNeverNone() {
        var share = WaitShare()
        share.endRound(waits: .greatestFiniteMagnitude, seconds: Self.round)
        #expect(share.share > 0)
        share.endRound(waits: 0, seconds: 1e9)
        #expect(share.share > 0 && share.share < 1)
    }

    /// A wait is drawn if a random number of 32 bits is not above the threshold.
    @Test(arguments: [(1.0, UInt32.max), (0.5, 0x7fff_ffff), (0x1p-32, 0), (1e-300, 0)])
    func thresholdIsTheLargestNumberThatIsDrawn(share: Double, threshold: UInt32) {
        #expect(WaitShare.threshold(share) == threshold)
    }

    @Test func sampleTellsTheShareItWasTakenWith() throws {
        var header = cfic_sample()
        #expect(try #require(Sample(header)).isWait == false)
        header.share = 1 << 30
        let sample = try #require(Sample(header))
        #expect(sample.isWait && sample.share == 0.25)
    }
}

extension Sample {
    /// A sample without frames.
    fileprivate init?(_ header: cfic_sample) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: MemoryLayout<cfic_sample>.size, alignment: 8)
        defer { memory.deallocate() }
        memory.storeBytes(of: header, as: cfic_sample.self)
        self.init(UnsafeRawBufferPointer(memory))
    }
}
