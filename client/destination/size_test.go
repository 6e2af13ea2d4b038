package destination

import "testing"

func TestSizesHaveUnits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"1B": 1, "500G": 500 << 30, "1.5 TiB": 3 << 39, "20MB": 20e6, "64K": 64 << 10, "7 Ki": 7 << 10, "1kB": 1000, "0.5P": 1 << 49, "10g": 10 << 30, "512m": 512 << 20,
		"": -1, "500": -1, "G": -1, "-1G": -1, "0G": -1, "0.1B": -1, "1e3G": -1, "0x10G": -1, "1_0G": -1, "infG": -1, "nanG": -1, "+1G": -1,
		"9000P": -1, "10Mb": -1, "10mb": -1, "1,5T": -1, "10 GG": -1, "1G 5": -1, "10Mbit": -1, "5.5.5G": -1, "1G/s": -1,
	} {
		if got, err := ParseSize(text); (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestRatesMayBeInBits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"10M": 10 << 20, "10 MiB/s": 10 << 20, "100Mbit/s": 12_500_000, "4K": 4096, "40kbit": 5000, "1.5 Gbit/s": 187_500_000,
		"4095B": -1, "8kbit": -1, "1B": -1, "100": -1, "100/s": -1, "/s": -1, "fast": -1, "10M/h": -1, "0Mbit": -1, "10Mbit/s/s": -1,
	} {
		if got, err := ParseRate(text); (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
}
