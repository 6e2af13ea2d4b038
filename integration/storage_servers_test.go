package integration

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the oldest hash that Apache's password files know
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/backend"
	_ "github.com/rclone-gateway/rclone-gateway/gateway/remote/gcs" // not among the curated backends
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
	"github.com/rclone-gateway/rclone-gateway/internal/b2test"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// The login at servers that have users of their own.
const (
	storageUser   = "backup-user"
	storageSecret = s3SecretKey
)

// storageKinds are the servers that destinations are tested on, with all that
// the tests know of each.
var storageKinds = []storageKind{
	{
		name: "rclone serve s3", apart: true, start: startRcloneS3, options: rcloneOptions,
		requests: requests{put: 1, head: 1, get: 1, list: 1, remove: 1, absent: 2},
	},
	{
		name: "MinIO", start: startMinIO, options: bucketOptions, resticVersions: []string{"RESTIC_0_14", "RESTIC_0_18"},
		requests: requests{put: 1, head: 1, get: 1, list: 1, remove: 1, absent: 2},
	},
	{
		name: "OpenSSH", moves: true, start: startSSH, options: fewObjects,
		requests: requests{put: 10, head: 1, get: 6, list: 4, remove: 2, absent: 1},
	},
	{
		name: "Samba", apart: true, moves: true, start: startSamba, options: fewObjects,
		requests: requests{put: 17, head: 2, get: 6, list: 4, remove: 5, absent: 1},
	},
	{
		name: "Apache mod_dav", moves: true, start: startApache, options: fewObjects,
		requests: requests{put: 7, head: 1, get: 2, list: 1, remove: 2, absent: 1},
	},
	{
		name: "rclone serve webdav", apart: true, start: startRcloneWebDAV, options: fewObjects,
		requests: requests{put: 7, head: 1, get: 2, list: 1, remove: 2, absent: 1},
	},
	{
		name: "vsftpd", apart: true, moves: true, start: startFTP, options: fewObjects,
		requests: requests{put: 13, head: 2, get: 4, list: 2, remove: 5, absent: 2},
	},
	{
		name: "Azurite", apart: true, start: startAzurite, options: fewInBuckets,
		requests: requests{put: 2, head: 1, get: 2, list: 1, remove: 2, absent: 2},
	},
	{
		name: "fake-gcs-server", start: startFakeGCS, options: fewInBuckets,
		requests: requests{put: 1, head: 1, get: 2, list: 1, remove: 2, absent: 2},
	},
	{
		name: "stand-in for Backblaze B2", apart: true, start: startB2, options: fewInBuckets,
		requests: requests{put: 1, head: 1, get: 2, list: 1, remove: 2, absent: 2},
	},
	{
		name: "crypt over MinIO", start: startCrypt, options: fewInBuckets,
		requests: requests{put: 1, head: 1, get: 2, list: 1, remove: 2, absent: 2},
	},
	{
		name: "alias of OpenSSH", moves: true, start: startAlias, options: fewObjects,
		requests: requests{put: 10, head: 1, get: 6, list: 4, remove: 2, absent: 1},
	},
}

// What is particular to buckets, and to what takes many requests for an object or
// answers them slowly.
var (
	bucketOptions = []storetest.Option{storetest.WithoutDirectories(), storetest.BlindRemove()}
	rcloneOptions = slices.Concat(bucketOptions, []storetest.Option{storetest.SeenReplacing()}) // of its S3
	fewObjects    = []storetest.Option{storetest.FewObjects()}
	fewInBuckets  = []storetest.Option{storetest.WithoutDirectories(), storetest.BlindRemove(), storetest.FewObjects()}
)

// storageKind is a kind of server, and what is particular to it.
type storageKind struct {
	// apart says that the gateway is a process of its own. The others run within the
	// test, so that the race detector sees our code with one server of each kind.
	apart          bool
	name           string
	moves          bool // uploads become visible by a move, in directories that the server does not cache
	start          func(t *testing.T) *storageServer
	options        []storetest.Option
	resticVersions []string // nil: the newest alone
	requests       requests
}

// storageServer is a server that runs behind a link. It can be stopped and started.
type storageServer struct {
	link *link
	// command is that of the server, for a port that was free a moment ago.
	command func(port string) *exec.Cmd
	process *process
	// service, unless nil, is a server within the test, which continues with what it has
	// when it is started again.
	service http.Handler
	// door, unless nil, stands before the server.
	door *googleDoor

	// section is that of a destination, in plain text; base is the path of the
	// destination with that ID.
	section func(secret string) map[string]string
	base    func(id string) string
	// over is set for a remote on top of another destination.
	over *storageServer

	secret, wrong string
	files         string // the directory with the objects as plain files, where there is one
}

// newStorage returns one for a server that is yet to be started.
func newStorage(t *testing.T) *storageServer {
	t.Helper()
	return &storageServer{
		link: newLink(t), secret: storageSecret, wrong: sectionSecret,
		base: func(id string) string { return "backups/" + id },
	}
}

// start runs the server until the end of the test, and leads the link to it as
// soon as it listens.
func (s *storageServer) start(t *testing.T) {
	t.Helper()
	if s.service != nil {
		server := httptest.NewServer(s.service)
		t.Cleanup(server.Close)
		s.link.connect(server.Listener.Addr().String())
		return
	}
	address := testenv.FreeAddr(t)
	_, port, _ := net.SplitHostPort(address)
	cmd := s.command(port)
	cmd.WaitDelay = time.Second // children may still hold its outputs
	s.process = startProcess(t, cmd)
	t.Cleanup(func() { s.stop(t) }) // lets it end its children
	waitFor(t, cmd.Path+" to listen", func() bool {
		select {
		case <-s.process.exited:
			t.Fatalf("%s has ended:\n%s", cmd.Path, strings.Join(s.process.out.all(), "\n"))
		default:
		}
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	if s.door == nil {
		s.link.connect(address)
		return
	}
	s.door.server.Store(&address)
	s.link.connect(s.door.address)
}

// stop ends the server and its connections, unless it has ended.
func (s *storageServer) stop(t *testing.T) {
	t.Helper()
	s.link.disconnect()
	if s.service != nil {
		return
	}
	if s.process.cmd.Process.Signal(syscall.SIGTERM) == nil {
		s.process.wait(t)
	}
}

// destinations are a destination with that secret, and what it is made of.
func (s *storageServer) destinations(t *testing.T, id, secret string) []redistest.Destination {
	t.Helper()
	section := s.section(secret)
	values, err := backend.Obscure(section["type"], section)
	if err != nil {
		t.Fatal(err)
	}
	conf := "[" + id + "]\n"
	for key, value := range values {
		conf += key + " = " + value + "\n"
	}
	out := []redistest.Destination{{
		ID: id, Name: section["type"], Provider: "rclone", URL: "rclone:" + id, BasePath: s.base(id), RcloneConf: conf,
	}}
	if s.over != nil {
		out = append(out, s.over.destinations(t, s.underlying(secret), secret)...)
	}
	return out
}

// underlying is the ID of the destination below another one.
func (s *storageServer) underlying(secret string) string {
	if secret == s.wrong {
		return "00000000-0000-4000-8000-ffffffffff00"
	}
	return "00000000-0000-4000-8000-ffffffffff01"
}

// host and port are where the gateway finds the server.
func (s *storageServer) host() string { host, _, _ := net.SplitHostPort(s.link.address); return host }
func (s *storageServer) port() string { _, port, _ := net.SplitHostPort(s.link.address); return port }

// serverProgram finds a program by name or path. Where it is missing the test
// fails in CI and is skipped elsewhere.
func serverProgram(t *testing.T, name string) string {
	t.Helper()
	for _, candidate := range []string{name, filepath.Join("/usr/sbin", name), filepath.Join("..", ".cache", name)} {
		if found, err := exec.LookPath(candidate); err == nil {
			if found, err = filepath.Abs(found); err == nil {
				return found
			}
		}
	}
	testenv.Missing(t, "no %s: run `make deps`", name)
	return ""
}

// needRoot ends the test where a server cannot run as who we are.
func needRoot(t *testing.T, server string) {
	t.Helper()
	if os.Geteuid() != 0 {
		testenv.Missing(t, "%s runs as root only", server)
	}
}

// serverDir is a directory that a server reaches as another user, who owns it
// unless that is "".
func serverDir(t *testing.T, owner string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil { //nolint:gosec // the server's user must get through
		t.Fatal(err)
	}
	if owner != "" && os.Geteuid() == 0 {
		chown(t, dir, owner)
	}
	return dir
}

func chown(t *testing.T, dir, owner string) {
	t.Helper()
	u, err := user.Lookup(owner)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
}

func writeLines(t *testing.T, path string, lines ...string) string {
	t.Helper()
	writeFile(t, path, []byte(strings.Join(lines, "\n")+"\n"))
	if err := os.Chmod(path, 0o644); err != nil { //nolint:gosec // servers read it as another user
		t.Fatal(err)
	}
	return path
}

// S3.

func s3Section(s *storageServer, provider string) func(secret string) map[string]string {
	return func(secret string) map[string]string {
		return map[string]string{
			"type": "s3", "provider": provider, "endpoint": "http://" + s.link.address,
			"access_key_id": s3AccessKey, "secret_access_key": secret,
		}
	}
}

func startRcloneS3(t *testing.T) *storageServer {
	t.Helper()
	dir := t.TempDir()
	rclone := program(t, "RCLONE")
	s := newStorage(t)
	s.files = filepath.Join(dir, "backups")
	s.command = func(port string) *exec.Cmd {
		return exec.Command(rclone, "serve", "s3", "--config", "", "--addr", "127.0.0.1:"+port,
			"--auth-key", s3AccessKey+","+storageSecret, dir)
	}
	s.section = s3Section(s, "Rclone")
	s.start(t)
	return s
}

// minio is the command of a server that keeps its data until the end of the test.
func minio(t *testing.T) func(address string) *exec.Cmd {
	t.Helper()
	dir, home := t.TempDir(), t.TempDir()
	path := serverProgram(t, "bin/minio")
	return func(address string) *exec.Cmd {
		cmd := exec.Command(path, "server", "--quiet", "--address", address, dir)
		cmd.Env = append(os.Environ(), "HOME="+home, "MINIO_CI_CD=1", "MINIO_BROWSER=off", "MINIO_UPDATE=off",
			"MINIO_ROOT_USER="+s3AccessKey, "MINIO_ROOT_PASSWORD="+storageSecret)
		return cmd
	}
}

func startMinIO(t *testing.T) *storageServer {
	t.Helper()
	server := minio(t)
	s := newStorage(t)
	s.command = func(port string) *exec.Cmd { return server("127.0.0.1:" + port) }
	s.section = s3Section(s, "Minio")
	s.start(t)
	return s
}

// SFTP.

func startSSH(t *testing.T) *storageServer {
	t.Helper()
	return startSSHOver(t, t.TempDir(), "internal-sftp")
}

// startSSHOver serves a directory, with that command for files.
func startSSHOver(t *testing.T, data, sftp string) *storageServer {
	t.Helper()
	sshd := serverProgram(t, "sshd")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		// A service of the system makes it, which does not run here.
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	key := func(name string) (private string) {
		file := filepath.Join(dir, name)
		runCommand(t, commandContext(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file))
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(content), "\n", `\n`)
	}
	key("host")
	secret, wrong := key("user"), key("stranger")
	s := newStorage(t)
	s.secret = secret
	s.files = data
	s.command = func(port string) *exec.Cmd {
		conf := writeLines(t, filepath.Join(dir, "sshd_config"),
			"ListenAddress 127.0.0.1", "Port "+port, "PidFile none", "HostKey "+filepath.Join(dir, "host"),
			"AuthorizedKeysFile "+filepath.Join(dir, "user.pub"), "StrictModes no", "PermitRootLogin yes",
			"PasswordAuthentication no", "KbdInteractiveAuthentication no", "UsePAM no",
			// As for accounts that are for files alone.
			"Subsystem sftp internal-sftp", "ForceCommand "+sftp)
		return exec.Command(sshd, "-D", "-e", "-f", conf)
	}
	s.wrong = wrong
	s.base = func(id string) string { return path.Join(data, id) }
	s.section = func(secret string) map[string]string {
		return map[string]string{"type": "sftp", "host": s.host(), "port": s.port(), "user": me.Username, "key_pem": secret}
	}
	s.start(t)
	return s
}

// SMB.

func startSamba(t *testing.T) *storageServer {
	t.Helper()
	smbd := serverProgram(t, "smbd")
	needRoot(t, "smbd")
	dir, data := t.TempDir(), t.TempDir()
	conf := []string{
		"[global]", "server role = standalone server", "interfaces = 127.0.0.1/8", "bind interfaces only = yes",
		"disable netbios = yes", "load printers = no", "printcap name = /dev/null", "disable spoolss = yes",
		"passdb backend = smbpasswd:" + filepath.Join(dir, "passwords"),
		"[backups]", "path = " + data, "read only = no",
		"[archive]", "path = " + data, "read only = yes",
	}
	for _, option := range []string{"private dir", "lock directory", "state directory", "cache directory", "pid directory", "ncalrpc dir"} {
		conf = slices.Insert(conf, 1, option+" = "+dir)
	}
	file := writeLines(t, filepath.Join(dir, "smb.conf"), conf...)
	add := commandContext(t, "smbpasswd", "-c", file, "-s", "-a", "root")
	add.Stdin = strings.NewReader(storageSecret + "\n" + storageSecret + "\n")
	runCommand(t, add)
	s := newStorage(t)
	s.files = data
	s.command = func(port string) *exec.Cmd {
		return exec.Command(smbd, "--foreground", "--debug-stdout", "--configfile="+file, "--port="+port)
	}
	s.section = func(secret string) map[string]string {
		return map[string]string{"type": "smb", "host": s.host(), "port": s.port(), "user": "root", "pass": secret}
	}
	s.start(t)
	return s
}

// WebDAV.

func webDAVSection(s *storageServer, vendor string) func(secret string) map[string]string {
	return func(secret string) map[string]string {
		return map[string]string{
			"type": "webdav", "vendor": vendor, "url": "http://" + s.link.address, "user": storageUser, "pass": secret,
		}
	}
}

func startApache(t *testing.T) *storageServer {
	t.Helper()
	apache := serverProgram(t, "apache2")
	const owner = "www-data"
	dir, data := serverDir(t, owner), serverDir(t, owner)
	hash := sha1.Sum([]byte(storageSecret)) //nolint:gosec // see above
	users := writeLines(t, filepath.Join(dir, "users"), storageUser+":{SHA}"+base64.StdEncoding.EncodeToString(hash[:]))
	var modules []string
	for _, name := range []string{
		"mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic", "dav", "dav_fs",
	} {
		modules = append(modules, "LoadModule "+name+"_module /usr/lib/apache2/modules/mod_"+name+".so")
	}
	s := newStorage(t)
	s.files = data
	s.command = func(port string) *exec.Cmd {
		conf := writeLines(t, filepath.Join(dir, "apache.conf"), append(modules,
			"ServerName 127.0.0.1", "Listen 127.0.0.1:"+port, "User "+owner, "Group "+owner,
			"ServerRoot "+dir, "DefaultRuntimeDir "+dir, "PidFile "+filepath.Join(dir, "pid"), "ErrorLog /dev/stderr",
			"DocumentRoot "+data, "DavLockDB "+filepath.Join(dir, "locks"),
			"<Directory "+data+">", "Dav On", "AllowOverride None",
			"AuthType Basic", "AuthName backups", "AuthUserFile "+users, "Require valid-user", "</Directory>")...)
		return exec.Command(apache, "-D", "FOREGROUND", "-f", conf)
	}
	s.section = webDAVSection(s, "other")
	s.start(t)
	return s
}

func startRcloneWebDAV(t *testing.T) *storageServer {
	t.Helper()
	dir := t.TempDir()
	rclone := program(t, "RCLONE")
	s := newStorage(t)
	s.files = dir
	s.command = func(port string) *exec.Cmd {
		return exec.Command(rclone, "serve", "webdav", "--config", "", "--addr", "127.0.0.1:"+port,
			"--user", storageUser, "--pass", storageSecret, dir)
	}
	s.section = webDAVSection(s, "rclone")
	s.start(t)
	return s
}

// FTP.

func startFTP(t *testing.T) *storageServer {
	t.Helper()
	// Each destination has its own connections, and there are dozens of them.
	return startFTPFor(t, 0)
}

// startFTPFor allows so many connections at once; 0 is any number. The server's
// configuration may have more lines.
func startFTPFor(t *testing.T, connections int, more ...string) *storageServer {
	t.Helper()
	vsftpd := serverProgram(t, "vsftpd")
	needRoot(t, "vsftpd")
	dir, root, empty := t.TempDir(), serverDir(t, ""), serverDir(t, "")
	// The root itself must not be writable.
	data := filepath.Join(root, "backups")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	chown(t, data, "ftp")
	// Users of the system take PAM. One of vsftpd's own is anonymous, whose
	// password may be wanted from a list.
	passwords := writeLines(t, filepath.Join(dir, "passwords"), storageSecret)
	s := newStorage(t)
	s.files = data
	s.command = func(port string) *exec.Cmd {
		conf := writeLines(t, filepath.Join(dir, "vsftpd.conf"), append(more,
			"listen=YES", "listen_address=127.0.0.1", "listen_port="+port, "background=NO", "secure_chroot_dir="+empty,
			"anonymous_enable=YES", "secure_email_list_enable=YES", "email_password_file="+passwords,
			"local_enable=NO", "ftp_username=ftp", "anon_root="+root,
			"write_enable=YES", "anon_upload_enable=YES", "anon_mkdir_write_enable=YES", "anon_other_write_enable=YES",
			"anon_world_readable_only=NO", "anon_umask=022", "seccomp_sandbox=NO",
			fmt.Sprintf("max_per_ip=%d", connections), "max_clients=0")...)
		return exec.Command(vsftpd, conf)
	}
	s.section = func(secret string) map[string]string {
		return map[string]string{"type": "ftp", "host": s.host(), "port": s.port(), "user": "anonymous", "pass": secret}
	}
	s.start(t)
	return s
}

// Azure Blob Storage.

func startAzurite(t *testing.T) *storageServer {
	t.Helper()
	node := serverProgram(t, "node")
	main, err := filepath.Abs("../.cache/npm/azurite/node_modules/azurite/dist/src/blob/main.js")
	if err == nil {
		_, err = os.Stat(main)
	}
	if err != nil {
		testenv.Missing(t, "%v: run `make deps`", err)
	}
	dir := t.TempDir()
	key := func(secret string) string { return base64.StdEncoding.EncodeToString([]byte(secret)) }
	const account = "backupaccount"
	s := newStorage(t)
	s.secret = key(storageSecret)
	s.command = func(port string) *exec.Cmd {
		cmd := exec.Command(node, main, "--blobPort", port, "--location", dir, "--silent", "--disableTelemetry", "--skipApiVersionCheck")
		cmd.Env = append(os.Environ(), "AZURITE_ACCOUNTS="+account+":"+key(storageSecret))
		return cmd
	}
	s.wrong = key(sectionSecret)
	s.section = func(secret string) map[string]string {
		return map[string]string{
			"type": "azureblob", "account": account, "key": secret, "endpoint": "http://" + s.link.address + "/" + account,
		}
	}
	s.start(t)
	return s
}

// Backblaze B2.

func startB2(t *testing.T) *storageServer {
	t.Helper()
	const keyID = "0012a34b56c78d90000000001"
	s := newStorage(t)
	s.service = b2test.New(b2test.Account{KeyID: keyID, Key: storageSecret, Bucket: "backups", URL: "http://" + s.link.address})
	s.section = func(secret string) map[string]string {
		return map[string]string{"type": "b2", "account": keyID, "key": secret, "endpoint": "http://" + s.link.address}
	}
	s.start(t)
	return s
}

// Google Cloud Storage.

func startFakeGCS(t *testing.T) *storageServer {
	t.Helper()
	server := serverProgram(t, "bin/fake-gcs-server")
	dir := t.TempDir()
	s := newStorage(t)
	s.door = newGoogleDoor(t)
	s.secret, s.wrong = newAccountKey(t, &s.door.account), newAccountKey(t, nil)
	s.command = func(port string) *exec.Cmd {
		return exec.Command(server, "-scheme", "http", "-host", "127.0.0.1", "-port", port,
			"-backend", "filesystem", "-filesystem-root", dir, "-log-level", "error",
			"-external-url", "http://"+s.link.address, "-public-host", s.link.address)
	}
	s.section = func(secret string) map[string]string {
		account, err := json.Marshal(map[string]string{
			"type": "service_account", "client_email": "backup@project.example", "private_key": secret,
			"private_key_id": "1", "token_uri": "http://" + s.link.address + "/token",
		})
		if err != nil {
			t.Fatal(err)
		}
		return map[string]string{
			"type": "google cloud storage", "project_number": "1", "service_account_credentials": string(account),
			"endpoint": "http://" + s.link.address + "/storage/v1/",
		}
	}
	s.start(t)
	return s
}

// googleDoor lets those in who prove to be the service account: the fake server
// itself asks nobody.
type googleDoor struct {
	address string
	account rsa.PublicKey
	token   string
	server  atomic.Pointer[string]
}

func newGoogleDoor(t *testing.T) *googleDoor {
	t.Helper()
	door := &googleDoor{token: rand.Text()}
	front := httptest.NewServer(door)
	t.Cleanup(front.Close)
	door.address = front.Listener.Addr().String()
	return door
}

func (d *googleDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/token" && d.knows(r.FormValue("assertion")):
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token": %q, "token_type": "Bearer", "expires_in": 3600}`, d.token)
	case r.URL.Path == "/token":
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error": "invalid_grant"}`)
	case r.Header.Get("Authorization") != "Bearer "+d.token:
		w.WriteHeader(http.StatusUnauthorized)
	default:
		proxy := httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: *d.server.Load()})
			p.Out.Host = p.In.Host
		}}
		proxy.ServeHTTP(w, r)
	}
}

// knows reports whether an assertion, a JSON Web Token, is signed by the account.
func (d *googleDoor) knows(assertion string) bool {
	dot := strings.LastIndexByte(assertion, '.')
	if dot < 0 {
		return false
	}
	signature, err := base64.RawURLEncoding.DecodeString(assertion[dot+1:])
	digest := sha256.Sum256([]byte(assertion[:dot]))
	return err == nil && rsa.VerifyPKCS1v15(&d.account, crypto.SHA256, digest[:], signature) == nil
}

// newAccountKey returns the private key of a service account, in the form that
// Google gives it out, and keeps the public one.
func newAccountKey(t *testing.T, public *rsa.PublicKey) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if public != nil {
		*public = key.PublicKey
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// Remotes on top of another destination.

func startCrypt(t *testing.T) *storageServer {
	t.Helper()
	below := startMinIO(t)
	s := *below
	s.over = below
	s.base = func(id string) string { return id }
	s.section = func(secret string) map[string]string {
		return map[string]string{
			"type": "crypt", "remote": s.underlying(secret) + ":encrypted", "password": "correct horse battery staple",
		}
	}
	return &s
}

func startAlias(t *testing.T) *storageServer {
	t.Helper()
	below := startSSH(t)
	s := *below
	s.over = below
	s.base = func(id string) string { return id }
	s.section = func(secret string) map[string]string {
		return map[string]string{"type": "alias", "remote": s.underlying(secret) + ":" + below.files}
	}
	return &s
}
