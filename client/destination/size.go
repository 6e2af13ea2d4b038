package destination

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// units are the units of sizes, in bytes. A single letter is a power of 1024, as in rclone
// and restic.
var units = map[string]float64{
	"B": 1,
	"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50, // rclone and restic accept these too
	"K": 1 << 10, "Ki": 1 << 10, "KiB": 1 << 10, "kB": 1e3, "KB": 1e3,
	"M": 1 << 20, "Mi": 1 << 20, "MiB": 1 << 20, "MB": 1e6,
	"G": 1 << 30, "Gi": 1 << 30, "GiB": 1 << 30, "GB": 1e9,
	"T": 1 << 40, "Ti": 1 << 40, "TiB": 1 << 40, "TB": 1e12,
	"P": 1 << 50, "Pi": 1 << 50, "PiB": 1 << 50, "PB": 1e15,
}

// bitUnits are units of network speed, in bytes per second.
var bitUnits = map[string]float64{"kbit": 1e3 / 8, "Mbit": 1e6 / 8, "Gbit": 1e9 / 8}

var (
	errNoNumber = errors.New("that is no number with a unit, such as 1.5G")
	errNoUnit   = errors.New("it needs a unit: K, M, G, T, P are powers of 1024; KB, MB, GB, TB, PB of 1000")
	errNoSpeed  = errors.New("it needs a unit: K, M, G are powers of 1024, KB, MB, GB of 1000 bytes per second; kbit, Mbit, Gbit are bits")
)

// MinRate is the lowest rate accepted, in bytes per second. The connections of one restic
// share it. Below it each waits so long that restic, which expects progress within five
// minutes, may give up.
const MinRate = 4 << 10

var errTooSlow = errors.New("it must be 4K or more: below that restic may give up")

// ParseSize parses a size with a unit, such as "1.5 TiB", "500G" or "20MB".
func ParseSize(text string) (bytes int64, err error) {
	return parseQuantity(text, units)
}

// ParseRate parses a rate with a unit, such as "10M", "10 MiB/s" or "100Mbit/s".
func ParseRate(text string) (bytesPerSecond int64, err error) {
	text = strings.TrimSuffix(text, "/s")
	if bytesPerSecond, err = parseQuantity(text, bitUnits); err != nil {
		bytesPerSecond, err = parseQuantity(text, units)
	}
	switch {
	case errors.Is(err, errNoUnit):
		err = errNoSpeed
	case err == nil && bytesPerSecond < MinRate:
		err = errTooSlow
	}
	return bytesPerSecond, err
}

func parseQuantity(text string, units map[string]float64) (int64, error) {
	number := strings.TrimRight(text, "BbGKMPTgikmpt ")
	unit, known := units[strings.TrimSpace(text[len(number):])]
	n, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil || strings.ContainsAny(number, "xXpPeEnN_+-"):
		return 0, errNoNumber
	case !known:
		return 0, errNoUnit
	case n*unit < 1:
		return 0, errors.New("it must be more than nothing")
	case n*unit >= math.MaxInt64:
		return 0, errors.New("it is too large")
	}
	return int64(n * unit), nil
}
