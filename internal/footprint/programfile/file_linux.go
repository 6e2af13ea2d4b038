package programfile

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// A program is the file that this process runs.
type program struct {
	parts []mapping // that it can only read, and has never changed
}

// findProgram finds where it is mapped.
func findProgram() (*program, error) {
	name, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	return findFile(name)
}

func findFile(name string) (*program, error) {
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return nil, err
	}
	mappings, err := parseMappings(string(smaps))
	if err != nil {
		return nil, err
	}
	return &program{slices.DeleteFunc(mappings, func(m mapping) bool {
		return m.file != name || m.perms != "r--p" && m.perms != "r-xp" || m.anonymous > 0
	})}, nil
}

// drop gives back its pages: the kernel finds in the file again what was in them.
func (p *program) drop() error {
	for _, m := range p.parts {
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, m.start, m.end-m.start, syscall.MADV_DONTNEED); errno != 0 {
			return os.NewSyscallError("madvise", errno)
		}
	}
	return nil
}

// trim gives back its pages where files have more than so many bytes of this process'
// memory. Where it fails, the process only takes more memory.
func (p *program) trim(most int) {
	if above(most) {
		_ = p.drop()
	}
}

// above reports whether files have more than so many bytes of this process' memory.
func above(most int) bool {
	pages, err := filePages()
	return err == nil && pages*os.Getpagesize() > most
}

// filePages is how many pages of files this process has in its memory.
func filePages() (int, error) {
	const file = 2 // behind all of its addresses, and all that is in memory
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(statm))
	if len(fields) <= file {
		return 0, errors.New("statm: " + strconv.Quote(string(statm)))
	}
	return strconv.Atoi(fields[file])
}

// Drop gives back all pages of the program's file.
func Drop() error {
	p, err := findProgram()
	if err != nil {
		return err
	}
	return p.drop()
}

// DropAbove drops them where files have more than so many bytes of this process' memory.
// Where it fails, the process only takes more memory.
func DropAbove(most int) {
	if above(most) {
		_ = Drop()
	}
}

// A mapping is a range of addresses, as proc(5) describes it.
type mapping struct {
	start, end uintptr
	perms      string
	file       string
	resident   int // KiB
	anonymous  int // KiB, those that are not as in the file
}

// parseMappings reads what /proc/self/smaps has.
func parseMappings(smaps string) ([]mapping, error) {
	var all []mapping
	for line := range strings.Lines(smaps) {
		line = strings.TrimSuffix(line, "\n")
		key, value, ok := strings.Cut(line, ":")
		ok = ok && len(all) > 0 && !strings.Contains(key, " ")
		var err error
		if ok {
			err = all[len(all)-1].set(key, value)
		} else {
			var m mapping
			m, err = parseMapping(line)
			all = append(all, m)
		}
		if err != nil {
			return nil, errors.New("smaps: " + strconv.Quote(line) + ": " + err.Error())
		}
	}
	return all, nil
}

// parseMapping reads the first line of one.
func parseMapping(line string) (mapping, error) {
	const name = 5 // behind start-end, permissions, offset, device and inode
	fields := strings.Fields(line)
	if len(fields) < name {
		return mapping{}, errors.New("too short")
	}
	from, to, _ := strings.Cut(fields[0], "-")
	start, err1 := strconv.ParseUint(from, 16, 64)
	end, err2 := strconv.ParseUint(to, 16, 64)
	m := mapping{start: uintptr(start), end: uintptr(end), perms: fields[1]}
	if i := strings.IndexByte(line, '/'); i >= 0 {
		m.file = line[i:]
	}
	return m, errors.Join(err1, err2)
}

func (m *mapping) set(key, value string) error {
	to := map[string]*int{"Rss": &m.resident, "Anonymous": &m.anonymous}[key]
	if to == nil {
		return nil
	}
	var err error
	*to, err = strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(value, "kB")))
	return err
}
