package docs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// A shell is asked, as somebody who presses Tab does it, how a command line continues.
type shell struct {
	name   string
	needs  string   // a file that its package brings
	script string   // its arguments are the words of the line; it prints what is offered, each on a line
	args   []string // before the script
	rc     string   // what it reads when it starts as that of a terminal
}

var shells = []shell{
	{
		name:  "bash",
		needs: "/usr/share/bash-completion/bash_completion",
		args:  []string{"--norc", "-c"},
		// What readline does.
		script: `
source /usr/share/bash-completion/bash_completion
_completion_loader "$1"
spec=$(complete -p "$1") || exit
spec=${spec##*-F }
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMPREPLY=()
COMP_POINT=${#COMP_LINE}
${spec%% *} 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"
`,
	},
	{
		name:  "zsh",
		needs: "/usr/bin/zsh",
		args:  []string{"-f", "-c"},
		// The line editor itself, in a terminal of its own.
		script: `
zmodload zsh/zpty
export line="$*" offered=$HOME/offered
zpty terminal zsh -i
while zpty -r terminal said; do :; done
cat $offered
`,
		rc: `
fpath=($SHARE/zsh/site-functions $fpath)
autoload -Uz compinit
compinit -u -d $SHARE/zcompdump
compadd() {
  local -a found
  if [[ ${@[1,(i)(-|--)]} != *-[AOD]\ * ]]; then
    builtin compadd -A found "$@"
    print -rl -- $found >>$offered
  fi
  builtin compadd "$@"
}
zle-line-init() {
  BUFFER=$line CURSOR=$#line
  zle complete-word
  exit
}
zle -N zle-line-init
`,
	},
	{
		name:   "fish",
		needs:  "/usr/bin/fish",
		args:   []string{"-c"},
		script: `complete -C "$argv" | string replace -r '\t.*' ''; or true`,
	},
}

// offers returns what the shell offers for the last word of the line, where the
// completions are installed below share.
func (s shell) offers(t *testing.T, programs, share, line string) []string {
	t.Helper()
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".zshrc"), []byte(s.rc), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append(slices.Clone(s.args), s.script)
	if s.name == "bash" || s.name == "zsh" {
		args = append(args, s.name) // $0
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.name, append(args, strings.Split(line, " ")...)...)
	cmd.Env = []string{
		"HOME=" + home, "SHARE=" + share, "PATH=" + programs + ":" + os.Getenv("PATH"), "TERM=xterm", "LANG=C.UTF-8",
		"BASH_COMPLETION_USER_DIR=" + share + "/bash-completion", "XDG_DATA_DIRS=" + share,
	}
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	offered := strings.Fields(string(output))
	slices.Sort(offered)
	return offered
}

// TestShellsComplete installs what `make install` installs, and lets each shell find
// its completions there as it does when one is first wanted.
func TestShellsComplete(t *testing.T) {
	t.Parallel()
	programs, share := findPrograms(t), t.TempDir()
	for _, command := range [][]string{
		{programs + "/gatewayctl", "install-links", programs},
		{projectRoot + "/scripts/manuals", programs, share},
	} {
		if output, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", command, err, output)
		}
	}
	for _, s := range shells {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat(s.needs); errors.Is(err, fs.ErrNotExist) {
				testenv.Missing(t, "no %s: install %s, for bash bash-completion", s.needs, s.name)
			}
			for _, c := range []struct {
				name, line string
				want       []string
			}{
				{"a command", "gatewayctl dest", []string{"destination"}},
				{"a command of a command", "gatewayctl destination al", []string{"alter"}},
				{"an option", "gatewayctl destination add --prov", []string{"--provider"}},
				{"a shell", "gatewayctl completion ", []string{"bash", "fish", "zsh"}},
				{"an option of a command called by its own name", "module-backup --dr", []string{"--dry-run"}},
				{"a command of one called by its own name", "destination exp", []string{"export"}},
				{"the server's command", "rclone-gateway check-d", []string{"check-destination"}},
				{"the server's option", "rclone-gateway serve --redis-sentinel-m", []string{"--redis-sentinel-master"}},
				{"a value of an option", "rclone-gateway serve --log-level ", []string{"debug", "error", "info", "warn"}},
			} {
				t.Run(c.name, func(t *testing.T) {
					if got := s.offers(t, programs, share, c.line); !slices.Equal(got, c.want) {
						t.Errorf("%q is offered for %q, want %q", got, c.line, c.want)
					}
				})
			}
		})
	}
}

// TestInstalledManuals writes the manual pages that `make install` installs.
func TestInstalledManuals(t *testing.T) {
	t.Parallel()
	programs, share := findPrograms(t), t.TempDir()
	if output, err := exec.CommandContext(t.Context(), projectRoot+"/scripts/manuals", programs, share).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	for _, name := range []string{"man/man8/rclone-gateway-serve.8", "man/man1/gatewayctl.1", "man/man1/module-backup.1"} {
		if content, err := os.ReadFile(filepath.Join(share, name)); err != nil || len(content) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(content), err)
		}
	}
}
