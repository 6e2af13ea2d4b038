package footprint

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// dropProgram gives back the pages of the program's own file.
func dropProgram() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	return dropFile(program)
}

// dropFile gives back the pages of a mapped file that this process can only read
// and has never changed: the kernel finds in the file again what was in them.
func dropFile(name string) error {
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer smaps.Close()
	mappings, err := parseMappings(smaps)
	if err != nil {
		return err
	}
	for _, m := range mappings {
		if m.file != name || m.perms != "r--p" && m.perms != "r-xp" || m.anonymous > 0 {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("madvise: %w", errno)
		}
	}
	return nil
}

// A mapping is a range of addresses, as proc(5) describes it.
type mapping struct {
	start, end uintptr
	perms      string
	file       string
	resident   int // KiB
	anonymous  int // KiB, those that are not as in the file
}

// parseMappings reads /proc/self/smaps.
func parseMappings(smaps io.Reader) ([]mapping, error) {
	var all []mapping
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		line := lines.Text()
		if key, value, ok := strings.Cut(line, ":"); ok && len(all) > 0 && !strings.Contains(key, " ") {
			if err := all[len(all)-1].set(key, value); err != nil {
				return nil, fmt.Errorf("smaps: %q: %w", line, err)
			}
			continue
		}
		var m mapping
		var offset, device, inode string
		if _, err := fmt.Sscanf(line, "%x-%x %s %s %s %s", &m.start, &m.end, &m.perms, &offset, &device, &inode); err != nil {
			return nil, fmt.Errorf("smaps: %q: %w", line, err)
		}
		if i := strings.IndexByte(line, '/'); i >= 0 {
			m.file = line[i:]
		}
		all = append(all, m)
	}
	return all, lines.Err()
}

func (m *mapping) set(key, value string) error {
	to := map[string]*int{"Rss": &m.resident, "Anonymous": &m.anonymous}[key]
	if to == nil {
		return nil
	}
	_, err := fmt.Sscanf(value, "%d kB", to)
	return err
}
