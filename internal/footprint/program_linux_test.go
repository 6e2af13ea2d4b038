package footprint

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const fileSize = 1 << 20

// mapFile maps a new file whose pages this process may write, each for itself.
func mapFile(t *testing.T) (name string, pages []byte) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(name, bytes.Repeat([]byte("program "), fileSize/8), 0o600))
	file, err := os.Open(name)
	require.NoError(t, err)
	defer file.Close()
	pages, err = unix.Mmap(int(file.Fd()), 0, fileSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, unix.Munmap(pages)) })
	return name, pages
}

// mapped returns the mappings of a file that are not writable.
func mapped(t *testing.T, name string) []mapping {
	t.Helper()
	smaps, err := os.Open("/proc/self/smaps")
	require.NoError(t, err)
	defer smaps.Close()
	all, err := parseMappings(smaps)
	require.NoError(t, err)
	var found []mapping
	for _, m := range all {
		if m.file == name && m.perms[1] == '-' {
			found = append(found, m)
		}
	}
	return found
}

func resident(all []mapping) (kib int) {
	for _, m := range all {
		kib += m.resident
	}
	return kib
}

func TestPagesThatWereOnlyReadAreGivenBackAndComeBack(t *testing.T) {
	t.Parallel()
	name, pages := mapFile(t)
	require.NoError(t, unix.Mprotect(pages, unix.PROT_READ))
	require.Equal(t, fileSize/8, bytes.Count(pages, []byte("program ")))
	// The kernel may have taken some of them by itself.
	require.NotZero(t, resident(mapped(t, name)), "nothing was resident to give back")

	require.NoError(t, dropFile(name))

	assert.Zero(t, resident(mapped(t, name)))
	assert.Equal(t, fileSize/8, bytes.Count(pages, []byte("program ")))
}

func TestPagesThatWereChangedStay(t *testing.T) {
	t.Parallel()
	name, pages := mapFile(t)
	copy(pages[fileSize/2:], "RELOCATED")
	require.NoError(t, unix.Mprotect(pages, unix.PROT_READ))

	require.NoError(t, dropFile(name))

	assert.Equal(t, "RELOCATED", string(pages[fileSize/2:fileSize/2+9]))
}

func TestPagesThatMayBeWrittenStay(t *testing.T) {
	t.Parallel()
	name, pages := mapFile(t)
	copy(pages, "DATA")

	require.NoError(t, dropFile(name))

	assert.Equal(t, "DATA", string(pages[:4]))
}

func TestTheProgramItselfIsTrimmedAndRunsOn(t *testing.T) {
	program, err := os.Readlink("/proc/self/exe")
	require.NoError(t, err)
	for _, m := range mapped(t, program) {
		// As if the start had read all of it.
		_, _, errno := unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_POPULATE_READ)
		require.Zero(t, errno)
	}
	before := resident(mapped(t, program))
	require.NotZero(t, before)

	require.NoError(t, Trim())

	assert.Less(t, resident(mapped(t, program)), before)
}

func TestMappingsAreReadAsTheKernelWritesThem(t *testing.T) {
	t.Parallel()
	const smaps = `00400000-01ef9000 r-xp 00001000 fe:00 131 /usr/bin/a gateway (deleted)
Size:              27620 kB
Rss:                3328 kB
Anonymous:             4 kB
VmFlags: rd ex mr mw me 
c000000000-c000800000 rw-p 00000000 00:00 0 
Rss:                8192 kB
Anonymous:          8192 kB
THPeligible:           0
`
	got, err := parseMappings(strings.NewReader(smaps))
	require.NoError(t, err)
	assert.Equal(t, []mapping{
		{start: 0x400000, end: 0x1ef9000, perms: "r-xp", file: "/usr/bin/a gateway (deleted)", resident: 3328, anonymous: 4},
		{start: 0xc000000000, end: 0xc000800000, perms: "rw-p", resident: 8192, anonymous: 8192},
	}, got)
}

func TestWhatIsNoListOfMappingsIsRefused(t *testing.T) {
	t.Parallel()
	for _, smaps := range []string{"nonsense\n", "Rss: 1 kB\n", "00400000-01ef9000 r-xp 0 fe:00 1\nRss: many kB\n"} {
		_, err := parseMappings(strings.NewReader(smaps))
		assert.Error(t, err, smaps)
	}
}
