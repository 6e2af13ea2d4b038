package examine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/webdav"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/gateway/remote"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// davServer is a WebDAV server in memory, of which spoil may answer requests.
func davServer(t *testing.T, spoil func(w http.ResponseWriter, r *http.Request) (done bool)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	dav := &webdav.Handler{FileSystem: webdav.NewMemFS(), LockSystem: webdav.NewMemLS()}
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if spoil == nil || !spoil(w, r) {
			dav.ServeHTTP(w, r)
		}
	})
	t.Cleanup(server.Close)
	return server
}

func davDestination(url string) *catalog.Destination {
	return &catalog.Destination{
		ID: destID, Type: "webdav", Base: "backups",
		Section: map[string]string{"type": "webdav", "url": url, "vendor": "other", "pacer_min_sleep": "0"},
	}
}

// refusing answers requests of that method with the status.
func refusing(method string, status int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method {
			return false
		}
		w.WriteHeader(status)
		return true
	}
}

const destID = "76d73f29-7446-5baf-a700-3ad39be75475"

var discard = slog.New(slog.DiscardHandler)

// openStore opens a destination without anything that outlives it.
func openStore(ctx context.Context, d *catalog.Destination) (storage.Store, io.Closer, error) {
	if d.Type == live.TypeLocal {
		s, err := local.OpenMarked(d.Base, local.Mark{ID: d.ID})
		return s, nil, err
	}
	s, err := remote.Open(ctx, d.ID, d.Section, d.Base, remote.Options{})
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	return s, s, nil
}

// remembered is a local.Memory of one process.
type remembered struct{ sync.Map }

func (r *remembered) Seen(_, root string) (mountPoint string, seen bool, err error) {
	value, seen := r.Load(root)
	mountPoint, _ = value.(string)
	return mountPoint, seen, nil
}

func (r *remembered) Remember(_, root, mountPoint string) error {
	r.Store(root, mountPoint)
	return nil
}

func TestCheckPassesOnStorageThatWorks(t *testing.T) {
	t.Parallel()
	dav := davServer(t, nil)
	dav.Start()
	dir := t.TempDir()
	for name, d := range map[string]*catalog.Destination{
		"a directory":   {ID: destID, Type: "local", Base: dir},
		"memory":        {ID: destID, Type: "memory", Base: "bucket", Section: map[string]string{"type": "memory"}},
		"a file server": davDestination(dav.URL),
	} {
		report := Run(t.Context(), d, &catalog.Limits{}, openStore, adminapi.CheckRequest{})
		var steps []string
		for _, s := range report.Steps {
			if s.OK {
				steps = append(steps, s.Name)
			}
		}
		if report.Error != "" || !slices.Equal(steps, []string{"open", "list", "write", "read", "delete", "pack"}) {
			if name == "memory" && report.Error == adminapi.NotAccessible {
				continue // its bucket comes with the first file
			}
			t.Errorf("%s: steps %q, %+v", name, steps, report)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the check left %v, %v", left, err)
	}
}

// TestDirectoryIsMarkedBeforeItIsSaved takes its disk away before the first backup:
// nothing may be written below the mount point.
func TestDirectoryIsMarkedBeforeItIsSaved(t *testing.T) {
	t.Parallel()
	memory := &remembered{}
	open := func(_ context.Context, d *catalog.Destination) (storage.Store, io.Closer, error) {
		s, err := local.OpenMarked(d.Base, local.Mark{ID: d.ID, Memory: memory, Log: discard})
		return s, nil, err
	}
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d := &catalog.Destination{ID: destID, Type: "local", Base: dir}
	if report := Run(t.Context(), d, &catalog.Limits{}, open, adminapi.CheckRequest{ID: destID}); report.Error != "" {
		t.Fatalf("%+v", report)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("a check of what is saved left %v, %v", left, err)
	}
	if report := Run(t.Context(), d, &catalog.Limits{}, open, adminapi.CheckRequest{ID: destID, Candidate: &adminapi.Candidate{}}); report.Error != "" {
		t.Fatalf("%+v", report)
	}
	for _, step := range []error{os.Rename(dir, dir+"-away"), os.Mkdir(dir, 0o700)} {
		if step != nil {
			t.Fatal(step)
		}
	}
	store, _, err := open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if err := storage.Create(t.Context(), store, "mail/uuid"); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a repository in the empty directory: %v", err)
	}
	report := Run(t.Context(), d, &catalog.Limits{}, open, adminapi.CheckRequest{ID: destID, Candidate: &adminapi.Candidate{}})
	if report.Error != adminapi.NotAccessible || !strings.Contains(report.Reason, "not mounted") {
		t.Errorf("the same destination again: %+v", report)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("in the empty directory there are %v, %v", left, err)
	}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		spoil  func(http.ResponseWriter, *http.Request) bool
		error  string
		reason string
		failed string
	}{
		{"no list", refusing("PROPFIND", 403), adminapi.NoReadPermission, "permission to list", "open"},
		{"wrong password", refusing("PROPFIND", 401), adminapi.NotAccessible, "does not accept the credentials", "open"},
		{"no write", refusing("PUT", 403), adminapi.NoWritePermission, "permission to write", "write"},
		{"a full disk", refusing("PUT", 507), adminapi.NoWritePermission, "full", "write"},
		{"a write that fails oddly", refusing("PUT", 418), adminapi.NoWritePermission, "detail", "write"},
		{"no read", refusing("GET", 403), adminapi.NoReadPermission, "permission to read", "read"},
		{"other bytes", otherBytes, adminapi.NoReadPermission, "other bytes", "read"},
		{"no delete", refusing("DELETE", 403), adminapi.NoDeletePermission, "permission to delete", "delete"},
		{"a delete without effect", refusing("DELETE", 204), adminapi.NoDeletePermission, "keeps deleted files", "delete"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := davServer(t, tt.spoil)
			server.Start()
			report := Run(t.Context(), davDestination(server.URL), &catalog.Limits{}, openStore, adminapi.CheckRequest{Conformance: true})
			if report.Error != tt.error || !strings.Contains(report.Reason, tt.reason) || report.Detail == "" {
				t.Errorf("%s: %q, %q; want %s and %q", report.Error, report.Reason, report.Detail, tt.error, tt.reason)
			}
			for _, s := range report.Steps {
				if s.OK == (s.Name == tt.failed) {
					t.Errorf("step %s ok: %t", s.Name, s.OK)
				}
			}
			if len(report.Conformance) > 0 {
				t.Error("what does not work was held to the suite")
			}
		})
	}
}

func TestCheckTellsTheFirstStepThatFails(t *testing.T) {
	t.Parallel()
	noDelete := refusing("DELETE", http.StatusNoContent)
	server := davServer(t, func(w http.ResponseWriter, r *http.Request) bool { return otherBytes(w, r) || noDelete(w, r) })
	server.Start()
	report := Run(t.Context(), davDestination(server.URL), &catalog.Limits{}, openStore, adminapi.CheckRequest{})
	if report.Error != adminapi.NoReadPermission || !strings.Contains(report.Reason, "other bytes") {
		t.Errorf("%s: %q, %q", report.Error, report.Reason, report.Detail)
	}
}

func TestCheckOfSectionsThatAreWrong(t *testing.T) {
	t.Parallel()
	noKey := filepath.Join(t.TempDir(), "none")
	if err := os.WriteFile(noKey, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		section map[string]string
		reason  string
	}{
		{"no type that is known", map[string]string{"type": "sfpt"}, "knows no storage of that type"},
		{"a password in plain text", map[string]string{"type": "sftp", "host": "127.0.0.1", "pass": "S3cret!"}, "rclone obscure"},
		{"one that is short", map[string]string{"type": "webdav", "url": "http://127.0.0.1:1", "pass": "abc"}, "rclone obscure"},
		{"a key file that is missing", map[string]string{"type": "sftp", "host": "127.0.0.1", "key_file": noKey + "/x"}, "a file that the section names"},
		{"an invalid key file", map[string]string{"type": "sftp", "host": "127.0.0.1", "key_file": noKey}, "a file that the section names"},
		{"an invalid key", map[string]string{"type": "sftp", "host": "127.0.0.1", "key_pem": "x"}, "a file that the section names"},
		{"known hosts that are missing", map[string]string{"type": "sftp", "host": "127.0.0.1", "known_hosts_file": noKey + "s"}, "a file that the section names"},
		{"half of a key", map[string]string{"type": "s3", "provider": "Other", "endpoint": "http://127.0.0.1:1", "access_key_id": "ID"}, "belong together"},
		{"a remote of one's own rclone.conf", map[string]string{"type": "alias", "remote": "nas:backups"}, "by its ID"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := &catalog.Destination{ID: destID, Type: tt.section["type"], Base: "backups", Section: tt.section}
			report := Run(t.Context(), d, &catalog.Limits{}, openStore, adminapi.CheckRequest{})
			if report.Error != adminapi.NotAccessible || !strings.Contains(report.Reason, tt.reason) || report.Detail == "" {
				t.Errorf("%s: %q, %q; want %q", report.Error, report.Reason, report.Detail, tt.reason)
			}
		})
	}
}

// otherBytes stores other bytes than are sent.
func otherBytes(_ http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodPut {
		r.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", int(r.ContentLength))))
	}
	return false
}

func TestCheckOfServersThatAreAway(t *testing.T) {
	t.Parallel()
	secure := davServer(t, nil)
	secure.StartTLS()
	ended := make(chan struct{})
	hanging := davServer(t, func(http.ResponseWriter, *http.Request) bool {
		<-ended
		return true
	})
	hanging.Start()
	t.Cleanup(func() { close(ended) })
	for name, tt := range map[string]struct {
		d      *catalog.Destination
		reason string
	}{
		"nobody listens":        {davDestination("http://" + testenv.FreeAddr(t)), "nothing listens"},
		"no such host":          {davDestination("http://no-such-host.invalid"), "cannot be resolved"},
		"a foreign certificate": {davDestination(secure.URL), "certificate"},
		"no answer":             {davDestination(hanging.URL), "in time"},
		"no directory":          {&catalog.Destination{ID: destID, Type: "local", Base: t.TempDir() + "/gone"}, "does not exist"},
		"no such type":          {&catalog.Destination{ID: destID, Type: "floppy", Section: map[string]string{"type": "floppy"}}, "all backends"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			if name == "no answer" {
				limited, cancel := context.WithTimeout(ctx, 2*time.Second)
				defer cancel()
				ctx = limited
			}
			report := Run(ctx, tt.d, &catalog.Limits{}, openStore, adminapi.CheckRequest{})
			if report.Error != adminapi.NotAccessible || !strings.Contains(report.Reason, tt.reason) {
				t.Errorf("%s: %q, %q; want a reason with %q", report.Error, report.Reason, report.Detail, tt.reason)
			}
		})
	}
}

func TestDiagnosisKnowsTheVendorsWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"operation error S3: ListObjectsV2, https response error StatusCode: 403, RequestID: 1, api error InvalidAccessKeyId: unknown":              "credentials",
		"operation error S3: PutObject, https response error StatusCode: 403, RequestID: 1, api error SignatureDoesNotMatch: SignatureDoesNotMatch": "credentials",
		"operation error S3: ListObjectsV2, StatusCode: 404, api error NoSuchBucket: gone":                                                          "does not exist",
		"StatusCode: 301, api error PermanentRedirect: other endpoint":                                                                              "region",
		"response error: STATUS_LOGON_FAILURE": "credentials",
		"STATUS_BAD_NETWORK_NAME":              "does not exist",
		"dial tcp: lookup nas.example.org on 192.0.2.53:53: read udp 192.0.2.7:4->192.0.2.53:53: i/o timeout":                        "cannot be resolved",
		"ssh: handshake failed: ssh: unable to authenticate, attempted methods [none]":                                               "credentials",
		"dial tcp 10.0.0.1:445: connect: no route to host":                                                                           "no route",
		"AuthenticationFailed: Server failed to authenticate the request":                                                            "credentials",
		"oauth2: cannot fetch token: 400 Bad Request":                                                                                "credentials",
		"bad_auth_token (401 unauthorized)":                                                                                          "credentials",
		"StatusCode: 400, api error XMinioStorageFull / 507 Insufficient Storage":                                                    "full",
		"tls: failed to verify certificate: x509: certificate signed by unknown authority":                                           "certificate",
		"put x: read-only file system":                                                                                               "read-only",
		"http: server gave HTTP response to HTTPS client":                                                                            "certificate",
		"read tcp 127.0.0.1:1->127.0.0.1:2: i/o timeout":                                                                             "in time",
		"StatusCode: 403, api error RequestTimeTooSkewed: The difference between the request time and the current time is too large": "clocks",
		"x509: certificate has expired or is not yet valid: current time 2026-01-01T00:00:00Z is before 2026-02-01T00:00:00Z":        "clock",
		"something that nobody has heard of, with the request 40340155 and the bucket x401y403":                                      "detail",
	} {
		if _, reason := diagnose("s3", stepList, errors.New(text)); !strings.Contains(reason, want) {
			t.Errorf("%s: %q; want %q", text, reason, want)
		}
	}
}

// TestAdviceOnPermissionsFitsTheKindOfStorage is about advice for S3 that was given for
// a directory.
func TestAdviceOnPermissionsFitsTheKindOfStorage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ typ, step, want string }{
		{"s3", stepWrite, "(s3:PutObject)"},
		{"s3", stepList, "(s3:ListBucket and s3:GetObject)"},
		{"s3", stepDelete, "(s3:DeleteObject); where a retention"},
		{"b2", stepDelete, "(deleteFiles); where a retention"},
		{"azureblob", stepPack, "Storage Blob Data Contributor"},
		{"google cloud storage", stepRead, "storage.objects.get"},
		{"sftp", stepWrite, "owner and mode of the directory, and no internal-sftp -R"},
		{"sftp", stepOpen, "owner and mode of the directory)"},
		{"ftp", stepWrite, "write_enable=YES"},
		{"smb", stepWrite, "read only = no"},
		{"smb", stepRead, "and of the share for this user)"},
		{"webdav", stepDelete, "takes PUT, MKCOL, MOVE and DELETE from it)"},
		{"onedrive", stepWrite, "give it permission to write"},
		{"crypt", stepDelete, "give it permission to delete; where a retention"},
		{live.TypeLocal, stepWrite, "does not let the gateway's user write into the directory: check owner and mode"},
		{live.TypeLocal, stepDelete, "delete from the directory: check owner and mode"},
		{live.TypeLocal, stepOpen, "read the directory: check owner and mode"},
	} {
		for _, err := range []error{
			fmt.Errorf("put x: %w: as the server says", storage.ErrReadOnly),
			fmt.Errorf("%w: open x: permission denied", storage.ErrUnavailable),
			fmt.Errorf("open x: %w", fs.ErrPermission),
		} {
			name, reason := diagnose(tt.typ, tt.step, err)
			if name == adminapi.NotAccessible || !strings.Contains(reason, tt.want) {
				t.Errorf("%s, %s, %v: %s, %q; want %q", tt.typ, tt.step, err, name, reason, tt.want)
			}
			for vendor, word := range map[string]string{"s3": "s3:", "b2": "Files", "smb": "Samba"} {
				if vendor != tt.typ && strings.Contains(reason, word) {
					t.Errorf("%s is given the advice for %s: %q", tt.typ, vendor, reason)
				}
			}
		}
	}
}

func TestConformanceOfADestinationLeavesNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	report := Run(t.Context(), &catalog.Destination{ID: destID, Type: "local", Base: dir}, &catalog.Limits{}, openStore, adminapi.CheckRequest{Conformance: true})
	if report.Error != "" || !report.Conforms() || len(report.Conformance) < 20 {
		t.Errorf("%+v", report)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the suite left %v, %v", left, err)
	}
}

// forgetful is a store that keeps nothing but small objects, and the pack of a check.
type forgetful struct{ *storetest.Mem }

func (s forgetful) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	if size < 1000 || size == packSize {
		return s.Mem.Put(ctx, name, size, body)
	}
	_, err := io.Copy(io.Discard, body)
	return err
}

func TestConformanceFindsAStoreThatLies(t *testing.T) {
	t.Parallel()
	open := func(context.Context, *catalog.Destination) (storage.Store, io.Closer, error) {
		return forgetful{storetest.NewMem()}, nil, nil
	}
	report := Run(t.Context(), &catalog.Destination{ID: destID, Type: "odd"}, &catalog.Limits{}, open, adminapi.CheckRequest{Conformance: true})
	if report.Error != "" || report.Conforms() {
		t.Errorf("%+v", report)
	}
}

// muddled is a store that does not take an object for the eighth time, of those that
// the suite uploads at once.
type muddled struct {
	*storetest.Mem

	mu   sync.Mutex
	puts map[string]int
}

func (s *muddled) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	s.mu.Lock()
	s.puts[name]++
	eighth := s.puts[name] == 8 && size == 200<<10
	s.mu.Unlock()
	if eighth {
		return errors.New("the part of another upload")
	}
	return s.Mem.Put(ctx, name, size, body)
}

func TestConformanceToleratesWhatTheGatewayMakesUpFor(t *testing.T) {
	t.Parallel()
	open := func(context.Context, *catalog.Destination) (storage.Store, io.Closer, error) {
		return &muddled{Mem: storetest.NewMem(), puts: map[string]int{}}, nil, nil
	}
	report := Run(t.Context(), &catalog.Destination{ID: destID, Type: "odd"}, &catalog.Limits{}, open, adminapi.CheckRequest{Conformance: true})
	names := map[string]bool{}
	for _, c := range report.Conformance {
		names[c.Name] = true
		if weak := strings.HasPrefix(c.State(), "weak: uploads of one object"); weak != (c.Name == "one object at once") {
			t.Errorf("%s: %s", c.Name, c.State())
		}
	}
	if !report.Conforms() {
		t.Errorf("%+v", report)
	}
	for name := range tolerated {
		if !names[name] {
			t.Errorf("the suite has no test %q", name)
		}
	}
}

func TestCheckWithoutAGatewayKnowsDisksThatWereSeen(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.SetupNS8()
	dir, state := t.TempDir(), t.TempDir()
	server.AddLocalDestination(destID, dir)
	src := live.Source{
		Redis: catalog.Redis{Address: server.Addr, Username: "node/1", Password: redistest.Password("node/1")},
		Load:  catalog.LoadOptions{NodeID: "1"}, StateDir: state, Log: discard,
	}
	check := func() *adminapi.CheckReport {
		t.Helper()
		report, err := Destination(t.Context(), src, adminapi.CheckRequest{ID: destID})
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	if report := check(); report.Error != "" {
		t.Errorf("never seen: %+v", report)
	}
	seen := fmt.Sprintf("{%q:%q}\n", dir, "/media/disk")
	if err := os.WriteFile(filepath.Join(state, "seen", destID), []byte(seen), 0o600); err != nil {
		t.Fatal(err)
	}
	report := check()
	if report.Error != adminapi.NotAccessible || !strings.Contains(report.Reason, "mount it") || !strings.Contains(report.Detail, "/media/disk") {
		t.Errorf("not mounted: %+v", report)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the checks left %v, %v", left, err)
	}
}

// TestCheckFindsWhatBreaksTheFirstBackup is about what a few bytes do not show.
func TestCheckFindsWhatBreaksTheFirstBackup(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		spoil  func(http.ResponseWriter, *http.Request) bool
		error  string
		reason string
		failed string
	}{
		{"uploads above a megabyte", func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut || r.ContentLength < 1<<20 {
				return false
			}
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return true
		}, adminapi.NoWritePermission, "refuses uploads of that size", "pack"},
		{"a folder that is missing", func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != "PROPFIND" || !strings.Contains(r.URL.Path, proofPrefix) || !strings.Contains(r.URL.Path, "/keys") {
				return false
			}
			w.WriteHeader(http.StatusNotImplemented)
			return true
		}, adminapi.NoReadPermission, "does not say plainly that a folder is missing", "list"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dav := davServer(t, tt.spoil)
			dav.Start()
			report := Run(t.Context(), davDestination(dav.URL), &catalog.Limits{}, openStore, adminapi.CheckRequest{})
			last := report.Steps[len(report.Steps)-1]
			if report.Error != tt.error || !strings.Contains(report.Reason, tt.reason) || last.Name != tt.failed || last.OK {
				t.Errorf("%+v", report)
			}
		})
	}
}

// dated is a store with a clock and a retention of its own.
type dated struct {
	storage.Store

	at, until time.Time
}

func (d *dated) Received(context.Context, string) (at, until time.Time, err error) {
	return d.at, d.until, nil
}

// TestCheckNotesClocksAndRetention reports what works, and yet has to be known.
func TestCheckNotesClocksAndRetention(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		at, until time.Time
		want      string
	}{
		"a clock behind":    {time.Now().Add(-8 * time.Minute), time.Time{}, "clocks of this node and of the storage differ by 8m"},
		"a clock ahead":     {time.Now().Add(9 * time.Minute), time.Time{}, "clocks of this node and of the storage differ by"},
		"a clock that fits": {time.Now().Add(time.Minute), time.Time{}, ""},
		"no clock":          {time.Time{}, time.Time{}, ""},
		"a retention":       {time.Time{}, time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC), "until 2031-02-03T04:05:06Z: locks/ too"},
	} {
		open := func(context.Context, *catalog.Destination) (storage.Store, io.Closer, error) {
			return &dated{storetest.NewMem(), tt.at, tt.until}, nil, nil
		}
		report := Run(t.Context(), &catalog.Destination{ID: destID, Type: "odd"}, &catalog.Limits{}, open, adminapi.CheckRequest{})
		notes := strings.Join(report.Notes, "\n")
		if report.Error != "" || tt.want == "" && notes != "" || !strings.Contains(notes, tt.want) {
			t.Errorf("%s: %+v", name, report)
		}
	}
}
