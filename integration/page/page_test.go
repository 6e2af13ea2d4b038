package page

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway"
	"github.com/rclone-gateway/rclone-gateway/gateway/audit"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/statustest"
	"github.com/rclone-gateway/rclone-gateway/internal/browseapi"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// plan is what the browser is to look at.
type plan struct {
	Modules  string `json:"modules"` // node's
	Chromium string `json:"chromium"`
	Looks    []look `json:"looks"`
}

// look is one window of the browser.
type look struct {
	World    string             `json:"world"`
	Base     string             `json:"base"`
	User     string             `json:"user"`
	Password string             `json:"password"`
	Device   string             `json:"device"`
	Scheme   string             `json:"scheme"`
	Scripts  bool               `json:"scripts"`
	Axe      bool               `json:"axe"`
	Keyboard bool               `json:"keyboard"`
	Acts     bool               `json:"acts"` // does something
	Paths    []string           `json:"paths"`
	Texts    []seen             `json:"texts"`
	Pictures map[string]picture `json:"pictures"`
}

// seen is a text that must be on a page.
type seen struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// picture is one for the documentation.
type picture struct {
	File string `json:"file"`
	Clip *clip  `json:"clip,omitempty"`
}

type clip struct {
	X      int `json:"x"`
	Y      int `json:"y"`
	Width  int `json:"width"`
	Height int `json:"height"`
}

const base = "/-/status"

// paths are the pages that are there in every world.
var paths = []string{base, base + "/attention", base + "/modules", base + "/destinations", base + "/runs", base + "/activity", base + "/gateways"}

// serve runs a gateway on a Redis of its own, and returns its address.
func serve(t *testing.T, w statustest.World) string {
	t.Helper()
	server := redistest.Start(t)
	server.SetupNS8()
	w.Now = time.Now()
	w.Fill(t, server)
	// As "node add" gives it to a node where no NethServer 8 is.
	server.Do("ACL", "SETUSER", "node/1", "~cluster/backup_plan/*", "&cluster/event/backup-schedule-changed", "+@write", "+publish")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	opts := gateway.Defaults()
	opts.Listeners = []net.Listener{listener}
	opts.StateDir = t.TempDir()
	opts.StatusActions = true
	opts.SnapshotsSocket = snapshots(t)
	run := fmt.Sprintf(`{"run":"r","schedule":"1","module":%q,"kind":"backup","started":%q,"updated":%q,"percent":42,"bytes":1048576,"total":4194304,"line":"12 of 30 files"}`,
		statustest.Module(0).ID, w.Now.Add(-time.Minute).UTC().Format(time.RFC3339), w.Now.Add(time.Hour).UTC().Format(time.RFC3339))
	if w.Modules > 0 {
		server.Do("HSET", catalog.LiveRunsKey("1"), "1 x", run)
	}
	opts.Redis = catalog.Redis{Address: server.Addr, Username: "node/1", Password: redistest.Password("node/1")}
	opts.Load = catalog.LoadOptions{NodeID: "1", ClusterStore: t.TempDir()}
	opts.Log = slog.New(slog.DiscardHandler)
	if opts.Audit, err = audit.Open(filepath.Join(opts.StateDir, "audit.jsonl"), audit.Options{Log: opts.Log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opts.Audit.Close() })
	g, err := gateway.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	g.Start()
	t.Cleanup(func() { _ = g.Stop(t.Context()) })
	if err := g.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	return "http://" + listener.Addr().String()
}

// snapshots is what "gatewayctl snapshot serve" answers, on a socket.
func snapshots(t *testing.T) (socket string) {
	t.Helper()
	return testenv.ServeSocket(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(browseapi.Listing{Path: r.FormValue("path"), Entries: []browseapi.Entry{
			{Name: "documents", Type: "dir", Modified: time.Now()}, {Name: statustest.LongName + ".txt", Type: "file", Size: 4711}, {Name: statustest.RightToLeft, Type: "symlink"},
		}})
	}))
}

// TestPagesInABrowser looks at every page as people do who see, who do not, on a phone and
// on a desktop, by day and by night, with and without scripts.
func TestPagesInABrowser(t *testing.T) {
	t.Parallel()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		testenv.Missing(t, "no chromium: install it (Debian's package chromium)")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		testenv.Missing(t, "no node: install it (Debian's package nodejs)")
	}
	modules, err := filepath.Abs("../../.cache/npm/browser")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(modules, "node_modules/playwright-core")); err != nil {
		testenv.Missing(t, "no playwright-core: make deps")
	}

	one := []string{base + "/modules/" + statustest.Path(0), base + "/destinations/" + statustest.Destination(0)}
	many := append([]string{base + "/modules/" + statustest.Path(1), base + "/modules/" + statustest.Path(2), base + "/modules/" + statustest.Path(5)}, one...)
	last := statustest.World{Modules: 1, Destinations: 1, Days: 30, Fine: true, Now: time.Now()}.Runs(0, 0)[29]
	one = append(one, base+"/runs/"+last.ID+"?schedule=1", base+"/act/run?schedule=1", base+"/act/pause?schedule=1",
		base+"/act/check?destination="+statustest.Destination(0), base+"/act/restore?destination="+statustest.Destination(0)+"&repository="+statustest.Path(0),
		base+"/modules/"+statustest.Path(0)+"/snapshots/latest?path=/volumes/data&destination="+statustest.Destination(0))
	many = append(many, base+"/runs?outcome=failed", base+"/runs?module=nextcloud2&kind=backup")
	worlds := []struct {
		name  string
		base  string
		paths []string
	}{
		{"no modules", serve(t, statustest.World{}), nil},
		{"one module", serve(t, statustest.World{Modules: 1, Destinations: 1, Days: 30, Fine: true}), one},
		{"200 modules", serve(t, statustest.World{Modules: 200, Destinations: 2, Days: 30}), many},
	}
	p := plan{Modules: modules, Chromium: chromium}
	for _, w := range worlds {
		l := look{World: w.name, Base: w.base, User: statustest.Admin, Password: redistest.Password(statustest.Admin), Paths: append(append([]string{}, paths...), w.paths...)}
		desk := l
		desk.Device, desk.Scheme, desk.Scripts, desk.Axe, desk.Keyboard = "desktop", "light", true, true, true
		desk.Acts = w.name == "one module"
		phone := l
		phone.Device, phone.Scheme, phone.Scripts, phone.Axe = "phone", "dark", true, true
		if w.name == "200 modules" { // what is elsewhere as well takes long there
			phone.Paths = []string{base, base + "/modules/" + statustest.Path(1), base + "/runs?outcome=failed"}
		}
		plain := l // axe needs scripts
		plain.Device, plain.Scheme = "phone", "light"
		p.Looks = append(p.Looks, plain, phone, desk)
		if w.name == "200 modules" {
			p.Looks[len(p.Looks)-1].Texts = []seen{
				{base, "things are wrong"}, {base, statustest.RightToLeft}, {base, statustest.LongName}, {base, statustest.Markup},
				{base + "/modules/" + statustest.Path(0), "the database does not answer"},
			}
		}
	}
	if os.Getenv("UPDATE_DOCS") != "" {
		p.Looks = append(p.Looks, pictures(t)...)
	}
	look := examine(t, node, p)
	if look != len(p.Looks) {
		t.Errorf("%d of %d windows were looked at", look, len(p.Looks))
	}
}

// examine has the browser look, and reports what is wrong.
func examine(t *testing.T, node string, p plan) (looked int) {
	t.Helper()
	input, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "testdata/look.mjs")
	cmd.Stdin = bytes.NewReader(input)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("node: %v\n%s", err, stderr.String())
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var said struct {
			Where, What string
			Done        int
		}
		if err := json.Unmarshal(lines.Bytes(), &said); err != nil {
			t.Errorf("the browser's driver says %q", lines.Text())
			continue
		}
		if said.What != "" {
			t.Errorf("%s: %s", said.Where, said.What)
		}
		looked += said.Done
	}
	return looked
}

// pictures are the windows that the documentation shows.
func pictures(t *testing.T) []look {
	t.Helper()
	address := serve(t, statustest.World{Modules: 6, Destinations: 2, Days: 30})
	at := func(name string) string {
		file, err := filepath.Abs("../../docs/pictures/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	l := look{World: "pictures", Base: address, User: statustest.Admin, Password: redistest.Password(statustest.Admin), Scripts: true}
	desk, phone := l, l
	module := base + "/modules/" + statustest.Path(5)
	desk.Device, desk.Scheme, desk.Paths = "tall", "light", []string{base, module}
	desk.Pictures = map[string]picture{base: {File: at("overview.png"), Clip: &clip{0, 0, 1280, 1400}}, module: {File: at("module.png"), Clip: &clip{0, 0, 1280, 900}}}
	phone.Device, phone.Scheme, phone.Paths = "phone", "dark", []string{base}
	phone.Pictures = map[string]picture{base: {File: at("phone.png")}}
	return []look{desk, phone}
}
