package programfile

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

const fileSize = 1 << 20

// mapFile maps a new file whose pages this process may write, each for itself.
func mapFile(t *testing.T) (name string, pages []byte) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(name, bytes.Repeat([]byte("program "), fileSize/8), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	pages, err = unix.Mmap(int(file.Fd()), 0, fileSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(pages); err != nil {
			t.Error(err)
		}
	})
	return name, pages
}

// mapped returns the mappings of a file that are not writable.
func mapped(t *testing.T, name string) []mapping {
	t.Helper()
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	all, err := parseMappings(string(smaps))
	if err != nil {
		t.Fatal(err)
	}
	var found []mapping
	for _, m := range all {
		if m.file == name && m.perms[1] == '-' {
			found = append(found, m)
		}
	}
	return found
}

// dropFile gives back the pages of a mapped file.
func dropFile(t *testing.T, name string) {
	t.Helper()
	mapped, err := findFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := mapped.drop(); err != nil {
		t.Fatal(err)
	}
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
	if err := unix.Mprotect(pages, unix.PROT_READ); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(pages, []byte("program ")); n != fileSize/8 {
		t.Fatalf("%d words", n)
	}
	// The kernel may have taken some of them by itself.
	if resident(mapped(t, name)) == 0 {
		t.Fatal("nothing was resident to give back")
	}

	dropFile(t, name)

	if n := resident(mapped(t, name)); n != 0 {
		t.Errorf("%d KiB are still resident", n)
	}
	if n := bytes.Count(pages, []byte("program ")); n != fileSize/8 {
		t.Errorf("%d words came back", n)
	}
}

func TestFewPagesStay(t *testing.T) {
	t.Parallel()
	name, pages := mapFile(t)
	if err := unix.Mprotect(pages, unix.PROT_READ); err != nil {
		t.Fatal(err)
	}
	p, err := findFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		most  int
		stays bool
	}{{1 << 40, true}, {0, false}} {
		// The kernel may take some of them by itself, but hardly all.
		for range 10 {
			bytes.Count(pages, []byte("program "))
			if p.trim(c.most); resident(mapped(t, name)) > 0 == c.stays {
				break
			}
		}
		if n := resident(mapped(t, name)); n > 0 != c.stays {
			t.Errorf("above %d: %d KiB are resident", c.most, n)
		}
	}
}

func TestPagesThatWereChangedStay(t *testing.T) {
	t.Parallel()
	name, pages := mapFile(t)
	copy(pages[fileSize/2:], "RELOCATED")
	if err := unix.Mprotect(pages, unix.PROT_READ); err != nil {
		t.Fatal(err)
	}

	dropFile(t, name)

	if got := string(pages[fileSize/2 : fileSize/2+9]); got != "RELOCATED" {
		t.Errorf("a changed page holds %q", got)
	}
}

func TestPagesThatMayBeWrittenStay(t *testing.T) {
	t.Parallel()
	name, pages := mapFile(t)
	copy(pages, "DATA")

	dropFile(t, name)

	if got := string(pages[:4]); got != "DATA" {
		t.Errorf("a page that may be written holds %q", got)
	}
}

func TestTheProgramItselfIsDroppedAndRunsOn(t *testing.T) {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mapped(t, program) {
		// As if the start had read all of it.
		_, _, errno := unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_POPULATE_READ)
		if errno != 0 {
			t.Fatal(errno)
		}
	}
	before := resident(mapped(t, program))
	if before == 0 {
		t.Fatal("nothing is resident")
	}

	if err := Drop(); err != nil {
		t.Fatal(err)
	}

	if after := resident(mapped(t, program)); after >= before {
		t.Errorf("%d KiB are resident, %d were before", after, before)
	}
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
	got, err := parseMappings(smaps)
	if err != nil {
		t.Fatal(err)
	}
	want := []mapping{
		{start: 0x400000, end: 0x1ef9000, perms: "r-xp", file: "/usr/bin/a gateway (deleted)", resident: 3328, anonymous: 4},
		{start: 0xc000000000, end: 0xc000800000, perms: "rw-p", resident: 8192, anonymous: 8192},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestWhatIsNoListOfMappingsIsRefused(t *testing.T) {
	t.Parallel()
	for _, smaps := range []string{"nonsense\n", "Rss: 1 kB\n", "00400000-01ef9000 r-xp 0 fe:00 1\nRss: many kB\n"} {
		if _, err := parseMappings(smaps); err == nil {
			t.Errorf("%q: no error", smaps)
		}
	}
}
