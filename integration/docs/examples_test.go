package docs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/docpage"
	"github.com/rclone-gateway/rclone-gateway/internal/repotest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// examplesDir holds setup.sh, which makes what the examples of the reference find, and
// machine.sh, which makes of it the machine that each is run on.
const examplesDir = "testdata/examples"

// A situation is what examples are for: who runs them, and what there is then.
type situation struct {
	redis string // which of the Redis that setup.sh saved (default: full)
	setup string // bash commands before
	// whole says that each line continues from the ones before; else each is run by
	// itself.
	whole bool
}

// As whom commands are run.
const (
	asNode          = "export NS8_AGENT_ENV=/srv/env/node.env"
	asGateway       = "set -a; . /srv/env/node.env; set +a"
	asModule        = "set -a; . /srv/env/myapp1.env; set +a"
	asAuditor       = "export GATEWAY_STATE_DIR=/srv/gateway-state"
	asRunner        = asNode + "; mkdir modules.d; echo ENV_FILE=/srv/env/myapp1.env > modules.d/myapp1; export GATEWAY_MODULES_DIR=$PWD/modules.d GATEWAYCTL_STATE_DIR=$PWD/runs"
	haveRun         = asRunner + "; gatewayctl run-backup --backup 1 --module myapp1"
	asTeller        = asNode + "; cp /srv/env/node.env .; export GATEWAYCTL_NOTIFY_CONFIG=$PWD/notify.conf; printf '#!/bin/sh\\ncat >>/srv/letters\\n' >/usr/local/bin/sendmail; chmod +x /usr/local/bin/sendmail; printf '[mail]\\nto = ann@example.org\\nfrom = backup@example.org\\nsendmail = /usr/local/bin/sendmail\\n' >notify.conf"
	asAnotherModule = "set -a; . /srv/env/mymodule1.env; set +a"
)

// situations are those that are not the one of an administrator on a node; by the names
// of commands, and of paragraphs in their examples.
var situations = map[string]situation{
	"gatewayctl 1":                     {setup: asModule},
	"gatewayctl 2":                     {redis: "empty", setup: "no_modules; rm -r /srv/storage/disk; mkdir /srv/storage/disk", whole: true},
	"gatewayctl admin":                 {whole: true},
	"gatewayctl admin add":             {setup: "echo a-password-of-bob > bob.txt"},
	"gatewayctl admin passwd":          {setup: "gatewayctl admin add anna"},
	"gatewayctl admin remove":          {setup: "gatewayctl admin add anna"},
	"gatewayctl setup":                 {redis: "empty", setup: "mkdir -p /srv/wiki ~/notes; echo plants > ~/notes/todo.txt; printf 'module = wiki1=/srv/wiki\\nto = /mnt/disk\\n' > setup.conf"},
	"gatewayctl module":                {redis: "bare", setup: asNode + "; no_modules; module_elsewhere myapp5", whole: true},
	"gatewayctl module add":            {redis: "bare", setup: asNode + "; no_modules", whole: true},
	"gatewayctl module join":           {redis: "bare", setup: "no_modules; module_elsewhere myapp1; gatewayctl module add --pair --gateway $GATEWAY wiki1 >code.txt; exec <code.txt"},
	"gatewayctl module passwd":         {setup: asNode, whole: true},
	"gatewayctl module-backup":         {setup: asModule},
	"gatewayctl module-drill":          {setup: asModule},
	"gatewayctl node":                  {redis: "empty", whole: true},
	"gatewayctl node add":              {redis: "empty", whole: true},
	"gatewayctl notify":                {setup: asTeller},
	"gatewayctl notify digest":         {setup: asTeller},
	"gatewayctl notify run":            {setup: asTeller},
	"gatewayctl notify test":           {setup: asTeller},
	"gatewayctl notify status":         {setup: asTeller},
	"gatewayctl redis-dump":            {setup: asAnotherModule + "; key=module/mymodule1/mykey"},
	"gatewayctl redis-restore":         {setup: asAnotherModule + "; redis-cli --raw keys 'module/mymodule1/*' | xargs redis-cli del"},
	"gatewayctl run-backup":            {setup: asRunner},
	"gatewayctl schedule install":      {setup: asNode + "; mount -t tmpfs none /etc/systemd/system; printf '#!/bin/sh\n' >/usr/local/bin/systemctl; chmod +x /usr/local/bin/systemctl"},
	"gatewayctl schedule run":          {setup: asRunner + "; gatewayctl schedule alter nightly --remove mymodule1"},
	"gatewayctl status":                {setup: haveRun},
	"gatewayctl runs":                  {setup: haveRun},
	"gatewayctl runs list":             {setup: haveRun},
	"gatewayctl runs show":             {setup: haveRun},
	"gatewayctl trash empty":           {setup: asNode + "; export GATEWAY_STATE_DIR=/srv/gateway-state"},
	"gatewayctl restore-module":        {setup: asModule + "; rm -r /srv/myapp1/volumes/data"},
	"rclone-gateway audit":             {setup: asAuditor},
	"rclone-gateway audit head":        {setup: asAuditor},
	"rclone-gateway audit verify":      {setup: asAuditor + "; rclone-gateway audit head > audit-heads"},
	"rclone-gateway check-config":      {setup: asGateway},
	"rclone-gateway check-destination": {setup: asGateway},
	"rclone-gateway serve":             {setup: asGateway},
}

// particular are bash commands before lines that have an option.
var particular = map[string]string{
	"--volume":                   "mkdir -p /srv/wiki/pages /srv/storage/wiki_db",
	"--podman":                   "export NS8_RESTIC_RUNTIME=podman RESTIC_IMAGE=restic",
	"--force":                    "gatewayctl schedule add --destination 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8 myapp1",
	"/srv/myapp5/etc/module.env": "module_elsewhere myapp5 --node 1 --schedule nightly; gatewayctl module join --dir /srv/myapp5 myapp5.host",
	// The suite takes long where storage is far; so the destination is a disk.
	"--conformance": `gatewayctl destination remove 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8
gatewayctl destination export --with-secrets "$DISK" | sed "s/$DISK/14030a59-a4e6-54cc-b8ea-cd5f97fe44c8/g; s,/storage/disk,/storage/nas,g" | gatewayctl destination import -`,
}

// placeholders are the words of examples that people put something else for.
var placeholders = strings.NewReplacer(
	"b2_account_id=ID", "b2_account_id=0012a34b56c78d90000000001",
	"b2:bucket/folder", "b2:my-bucket/folder",
	"--ca-sha256 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", `--ca-sha256 "$FINGERPRINT"`,
	"--destination DESTINATION", `--destination "$DISK"`,
	"--destination ID", `--destination "$DISK"`,
	"--module MODULE", "--module myapp1",
	"dokuwiki/UUID", `dokuwiki/"$DOKUWIKI"`,
	"REDIS_PASSWORD=…", "REDIS_PASSWORD=the-password-of-node-1",
)

// An example is some lines of a command's examples that are run on one machine.
type example struct {
	command string // such as "gatewayctl"
	name    string // the command, or one of several paragraphs: "gatewayctl 2"
	lines   []string
	situation
}

// title is a line of the example, or the name of all.
func (e example) title() string {
	if e.whole {
		return e.name
	}
	return e.lines[0]
}

// script is what runs the example on its machine.
func (e example) script() string {
	var w strings.Builder
	redis := e.redis
	if redis == "" {
		redis = "full"
	}
	w.WriteString(". /srv/words\nexport NS8_RESTIC_RUNTIME=native\n")
	fmt.Fprintf(&w, "trap 'fail \"before: $BASH_COMMAND\"' ERR\nstart_redis %s\n", redis)
	if redis != "empty" && !slices.ContainsFunc(e.lines, func(line string) bool { return strings.Contains(line, "rclone-gateway serve") }) {
		w.WriteString("start_gateway\n")
	}
	for _, line := range e.lines {
		for option, before := range particular {
			if strings.Contains(line, option) {
				w.WriteString(before + "\n")
			}
		}
	}
	fmt.Fprintf(&w, "[[ ! -d '/srv/files/%[1]s' ]] || cp '/srv/files/%[1]s/'* .\n", e.command)
	w.WriteString(e.setup + "\ntrap - ERR\n")
	for _, line := range e.lines {
		fmt.Fprintf(&w, "example '%s'\n", strings.ReplaceAll(placeholders.Replace(line), "'", `'\''`))
	}
	return w.String()
}

// TestExamples runs each example of the reference as it stands there, which is one of
// --help and of the manual pages, too, and wants exit status 0.
func TestExamples(t *testing.T) {
	t.Parallel()
	programs, state := findPrograms(t), t.TempDir()
	const password = "of-the-repositories"
	repotest.New(t, 2, password).Save(t, filepath.Join(state, "repository"))
	if err := os.WriteFile(filepath.Join(state, "repository.password"), []byte(password), 0o600); err != nil {
		t.Fatal(err)
	}
	onMachine(t, programs, state, surrounding(t, "passphrase")+guarded("setup.sh", examplesFile(t, "setup.sh")))

	met := map[string]bool{}
	for _, page := range []string{"docs/reference/gatewayctl.md", "docs/reference/rclone-gateway.md"} {
		text, err := os.ReadFile(filepath.Join(projectRoot, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range examplesOf(t, string(text)) {
			met[e.name] = true
			t.Run(e.title(), func(t *testing.T) {
				t.Parallel()
				if ran := onMachine(t, programs, state, e.script()); ran != len(e.lines) {
					t.Errorf("of %d lines %d were run", len(e.lines), ran)
				}
			})
		}
	}
	for name := range situations {
		if !met[name] {
			t.Errorf("no examples of %q", name)
		}
	}
}

var textBlock = regexp.MustCompile("(?s)```text\n(.*?)\n```")

// withoutExamples are the sections of the reference that show none.
var withoutExamples = []string{"rclone-gateway", "rclone-gateway version", "Exit status", "Environment", "Providers of destinations"}

// examplesOf finds a page's examples: they are the block behind the one that shows how
// a command is used.
func examplesOf(t *testing.T, page string) []example {
	t.Helper()
	var all []example
	for _, section := range strings.Split(page, "\n## ")[1:] {
		command, text, _ := strings.Cut(section, "\n")
		blocks := textBlock.FindAllStringSubmatch(text, -1)
		usage := slices.IndexFunc(blocks, func(block []string) bool { return strings.HasPrefix(block[1], command) })
		if shows := usage+1 < len(blocks); shows == slices.Contains(withoutExamples, command) {
			t.Errorf("%s: are there examples? %t", command, shows)
		} else if !shows {
			continue
		}
		paragraphs := strings.Split(blocks[len(blocks)-1][1], "\n\n")
		for i, paragraph := range paragraphs {
			name := command
			if len(paragraphs) > 1 {
				name = fmt.Sprintf("%s %d", command, i+1)
			}
			all = append(all, examplesIn(command, name, paragraph)...)
		}
	}
	return all
}

// examplesIn makes examples of a paragraph's lines.
func examplesIn(command, name, paragraph string) []example {
	at, special := situations[name]
	if !special {
		at.setup = asNode
	}
	var lines []string
	continued := false
	for line := range strings.SplitSeq(paragraph, "\n") {
		switch {
		case continued:
			lines[len(lines)-1] += "\n" + line
		case !strings.HasPrefix(line, "#"):
			lines = append(lines, line)
		}
		continued = strings.HasSuffix(line, `\`)
	}
	if at.whole {
		return []example{{command, name, lines, at}}
	}
	var all []example
	for _, line := range lines {
		all = append(all, example{command, name, []string{line}, at})
	}
	return all
}

// onMachine runs a script on a machine of its own, and returns how many lines of
// examples it has run.
func onMachine(t *testing.T, programs, state, script string) int {
	t.Helper()
	dir := t.TempDir()
	file, ran := filepath.Join(dir, "script"), filepath.Join(dir, "ran")
	text := docpage.Prologue + helpers + fmt.Sprintf("STATE='%s'\nexec {ran}>'%s'\n", state, ran) +
		guarded("machine.sh", examplesFile(t, "machine.sh")) + script
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := isolated(t, file, dir, programs)
	if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.ExitCode() == exitMissing {
		testenv.Missing(t, "%s", said)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	lines, err := os.ReadFile(ran)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(lines), "\n")
}

func examplesFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(examplesDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
