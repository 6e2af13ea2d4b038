package integration

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// rawConn is a client that writes what it likes.
type rawConn struct {
	*net.TCPConn
	answers *bufio.Reader
}

func (c caller) dial(t *testing.T) rawConn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return rawConn{conn.(*net.TCPConn), bufio.NewReader(conn)}
}

// send writes a request line, the headers of a restic client, those given, and
// whatever body.
func (c caller) send(t *testing.T, conn rawConn, method, target string, body []byte, headers ...string) {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: gateway\r\nAccept: %s\r\n", method, target, rest.MediaTypeV2)
	if c.user != "" {
		fmt.Fprintf(&b, "Authorization: Basic %s\r\n", base64.StdEncoding.EncodeToString([]byte(c.user+":"+c.password)))
	}
	for _, header := range headers {
		b.WriteString(header + "\r\n")
	}
	b.WriteString("\r\n")
	b.Write(body)
	if _, err := conn.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
}

// answer reads one answer to its end.
func (conn rawConn) answer(t *testing.T, method string) *reply {
	t.Helper()
	resp, err := http.ReadResponse(conn.answers, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("half an answer: %v", err)
	}
	wantNoSecret(t, "an answer", string(body))
	return &reply{resp.StatusCode, resp.Header, body}
}

func contentLength(n int) string { return "Content-Length: " + strconv.Itoa(n) }

// newNestedCluster has its destination two directories below parent, so that
// what escapes from it would be seen there.
func newNestedCluster(t *testing.T) (c *cluster, parent string) {
	t.Helper()
	parent = t.TempDir()
	c = &cluster{Server: redistest.Start(t), dir: filepath.Join(parent, "above", "destination")}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(parent, "above", "config"), []byte("not for clients"))
	c.fill()
	return c, parent
}

func TestPathsThatAreNobodys(t *testing.T) {
	t.Parallel()
	c, parent := newNestedCluster(t)
	g := c.serve(t)
	content, name := blob(100)
	base := "/" + localDest + "/" + mailRepo
	g.module("mail1").want(t, http.StatusOK, http.MethodPost, base+"/config", aConfig)
	g.module("mail1").want(t, http.StatusOK, http.MethodPost, base+"/data/"+name, content)
	g.module("wiki7").want(t, http.StatusOK, http.MethodPost, "/"+localDest+"/"+wikiRepo+"/config", aConfig)
	before := filesBelow(t, parent)

	long := strings.Repeat("a", 10<<10)
	for _, tt := range []struct{ name, target string }{
		{"dots", base + "/../../" + wikiRepo + "/config"},
		{"dots behind a type", base + "/locks/../../../" + wikiRepo + "/config"},
		{"dots out of the destination", "/" + localDest + "/../config"},
		{"dots out of everything", "/../../../etc/passwd"},
		{"a dot", base + "/./config"},
		{"encoded dots", base + "/%2e%2e/%2e%2e/" + wikiRepo + "/config"},
		{"half encoded dots", base + "/locks/.%2E/config"},
		{"an encoded slash", base + "%2Fconfig"},
		{"encoded slashes and dots", base + "/locks/..%2f..%2f..%2f" + wikiRepo + "/config"},
		{"an encoded letter", base + "/%63onfig"},
		{"an encoded letter of the app", "/" + localDest + "/m%61il/" + mailUUID + "/config"},
		{"an encoded percent sign", base + "/%252e%252e/config"},
		{"two slashes", base + "//config"},
		{"two slashes first", "/" + base + "/config"},
		{"an encoded backslash", base + "/..%5c..%5cconfig"},
		{"a backslash", base + `/..\..\config`},
		{"an encoded NUL", base + "/config%00"},
		{"a line break", base + "/config%0d%0aX:%20y"},
		{"bytes that are not UTF-8", base + "/%ff%fe"},
		{"a type in upper case", base + "/DATA/" + name},
		{"a name in upper case", base + "/data/" + strings.ToUpper(name)},
		{"a name in its shard", base + "/data/" + name[:2] + "/" + name},
		{"half a name", base + "/data/" + name[:32]},
		{"a name and more", base + "/data/" + name + "0"},
		{"config as a directory", base + "/config/"},
		{"config with a tail", base + "/config/" + name},
		{"a temporary name", base + "/data/" + name + ".tmp"},
		{"a long name", base + "/" + long},
		{"a semicolon", base + "/config;a=b"},
		{"create of an object", base + "/config?create=true"},
		{"a destination alone", "/" + localDest},
		{"a destination's root", "/" + localDest + "/"},
		{"an app's root", "/" + localDest + "/mail/"},
		{"the whole as a URL", "http://elsewhere/" + localDest + "/../config"},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
			if method != http.MethodPost && strings.HasSuffix(tt.target, "create=true") {
				continue
			}
			for user, status := range map[string]int{"module/mail1": http.StatusForbidden, "node/1": http.StatusNotFound} {
				if user == "node/1" && namesAnObject(tt.name, method) {
					continue // see below
				}
				mark := g.log.mark()
				who := callerOf(g.url, user)
				conn := who.dial(t)
				who.send(t, conn, method, tt.target, content, contentLength(len(content)))
				if got := conn.answer(t, method).status; got != status {
					t.Errorf("%s: %s %.150s by %s = %d, want %d", tt.name, method, tt.target, user, got, status)
				}
				g.log.wantFrom(t, mark, `"msg":"request"`, `"method":"`+method, fmt.Sprintf(`"status":%d`, status), `"user":"`+user, `"err":`)
				_ = conn.Close()
			}
		}
	}
	for _, destination := range []string{strings.ToUpper(localDest), localDest + "0", long} {
		g.module("mail1").want(t, http.StatusNotFound, http.MethodPost, "/"+destination+"/"+mailRepo+"/config", content)
	}
	// Neighbours that only look like one's own, where a node may do as it likes.
	for _, target := range []string{
		"/" + localDest + "/mail/" + strings.ToUpper(mailUUID) + "/config",
		"/" + localDest + "/Mail/" + mailUUID + "/config",
		"/" + localDest + "/mail/" + mailUUID + "./config",
		"/" + localDest + "/mail./" + mailUUID + "/config",
		"/" + localDest + "/mail/" + mailUUID + "%20/config",
		"/" + localDest + "/mail/" + mailUUID + "0/config",
		"/" + localDest + "/mail/" + long + "/config",
		"/" + localDest + "/ma/il/" + mailUUID + "/config",
	} {
		g.module("mail1").want(t, http.StatusForbidden, http.MethodGet, target, nil)
		g.module("mail1").want(t, http.StatusForbidden, http.MethodPost, target, content)
	}
	if after := filesBelow(t, parent); !slices.Equal(after, before) {
		t.Errorf("files were %q and are %q", before, after)
	}
	// To a node, who may do anything, an encoded letter is that letter, and an object has
	// the name that it has on the storage as well.
	node := g.node()
	for _, target := range []string{base + "/%63onfig", "/" + localDest + "/m%61il/" + mailUUID + "/config"} {
		if got := node.want(t, http.StatusOK, http.MethodGet, target, nil); !bytes.Equal(got.body, aConfig) {
			t.Errorf("%s is %q", target, got.body)
		}
		node.want(t, http.StatusOK, http.MethodPost, target, aConfig)
	}
	node.want(t, http.StatusOK, http.MethodDelete, base+"/data/"+name[:2]+"/"+name, nil)
	node.want(t, http.StatusNotFound, http.MethodHead, base+"/data/"+name, nil)
	// What no parser of HTTP takes ends there.
	conn := g.node().dial(t)
	g.node().send(t, conn, http.MethodGet, base+"/config\x00", nil)
	if got := conn.answer(t, http.MethodGet).status; got != http.StatusBadRequest {
		t.Errorf("a NUL in the request line: %d", got)
	}
}

func TestCredentialsThatAreNobodys(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t)
	content, name := blob(100)
	target := "/" + localDest + "/" + mailRepo + "/data/" + name
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	good := "module/mail1:" + redistest.Password("module/mail1")
	for _, tt := range []struct {
		name, authorization string
		status              int
	}{
		{"missing", "", 401},
		{"scheme alone", "Basic", 401},
		{"scheme and space", "Basic ", 401},
		{"another scheme", "Bearer " + good, 401},
		{"no base64", "Basic " + good, 401},
		{"no colon", basic("module/mail1"), 401},
		{"empty", basic(":"), 401},
		{"empty user", basic(":" + redistest.Password("module/mail1")), 401},
		{"empty password", basic("module/mail1:"), 401},
		{"wrong password", basic("module/mail1:" + wrongPassword), 401},
		{"the hash instead of the password", basic("module/mail1:" + nameOf([]byte(redistest.Password("module/mail1")))), 401},
		{"another's password", basic("module/mail1:" + redistest.Password("module/wiki7")), 401},
		{"another's name", basic("module/wiki7:" + redistest.Password("module/mail1")), 401},
		{"a longer password", basic(good + "0"), 401},
		{"a NUL behind the password", basic(good + "\x00"), 401},
		{"a user in upper case", basic(strings.ToUpper(good)), 401},
		{"a user with a space", basic(" " + good), 401},
		{"enormous", basic("module/mail1:" + strings.Repeat(wrongPassword, 1000)), 401},
		{"beyond all headers", basic("module/mail1:" + strings.Repeat(wrongPassword, 5000)), 431},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			headers := []string{"Authorization", tt.authorization}
			answer := g.node().with("", "").call(t, http.MethodPost, target, content, headers...)
			if answer.status != tt.status {
				t.Errorf("%d, want %d", answer.status, tt.status)
			}
			if tt.status == http.StatusUnauthorized && answer.header.Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
		})
	}
	t.Cleanup(func() {
		g.log.want(t, `"status":401`, `"method":"POST"`, `"user":""`, `"obj":"data/`+name, "not authenticated: no credentials")
		if files := filesBelow(t, c.dir); len(files) > 0 {
			t.Errorf("stored: %q", files)
		}
	})
}

func TestBodiesThatAreNotWhatTheySay(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t)
	module := g.module("mail1")
	content, name := blob(100_000)
	other, otherName := blob(100_000)
	base := "/" + localDest + "/" + mailRepo
	module.want(t, http.StatusOK, http.MethodPost, base+"/config", aConfig)
	module.want(t, http.StatusOK, http.MethodPost, base+"/data/"+otherName, other)
	before := filesBelow(t, c.dir)

	for _, tt := range []struct {
		name, target string
		headers      []string
		body         []byte
		status       int
		line         string // in the log; empty where net/http refuses
	}{
		{"shorter", base + "/data/" + name, []string{contentLength(len(content))}, content[:99_999], 400, "upload ended before its announced length: 1 bytes are missing"},
		{"none at all", base + "/data/" + name, []string{contentLength(len(content))}, nil, 400, "100000 bytes are missing"},
		{"longer", base + "/data/" + name, []string{contentLength(99_999)}, content, 400, "content does not hash to its name"},
		{"other", base + "/data/" + name, []string{contentLength(len(other))}, other, 400, "content does not hash to its name: it hashes to " + otherName},
		{"other, over what is there", base + "/data/" + otherName, []string{contentLength(len(content))}, content, 400, "content does not hash to its name"},
		{"cut, over what is there", base + "/data/" + otherName, []string{contentLength(len(other))}, other[:50_000], 400, "50000 bytes are missing"},
		{"of length 0", base + "/data/" + name, []string{contentLength(0)}, nil, 400, "content does not hash to its name"},
		{"a config of length 0", base + "/config", []string{contentLength(0)}, nil, 400, "config of 0 bytes"},
		{"a config of 2 MiB", base + "/config", []string{contentLength(2 << 20)}, nil, 400, "config of 2097152 bytes"},
		{"half a config", base + "/config", []string{contentLength(len(aConfig))}, aConfig[:30], 400, fmt.Sprintf("%d bytes are missing", len(aConfig)-30)},
		{"another config", base + "/config", []string{contentLength(len(otherConfig))}, otherConfig, 403, "config is there with other content"},
		{"chunked", base + "/data/" + name, []string{"Transfer-Encoding: chunked"}, []byte("3\r\nabc\r\n0\r\n\r\n"), 411, "upload without Content-Length"},
		{"chunked config", base + "/config", []string{"Transfer-Encoding: chunked"}, []byte("0\r\n\r\n"), 411, "upload without Content-Length"},
		{"two lengths", base + "/data/" + name, []string{contentLength(5), contentLength(6)}, []byte("123456"), 400, ""},
		{"a negative length", base + "/data/" + name, []string{"Content-Length: -1"}, nil, 400, ""},
		{"no length", base + "/data/" + name, nil, nil, 400, "content does not hash to its name"},
	} {
		mark := g.log.mark()
		conn := module.dial(t)
		module.send(t, conn, http.MethodPost, tt.target, tt.body, tt.headers...)
		if strings.HasSuffix(tt.line, "bytes are missing") {
			if err := conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		if got := conn.answer(t, http.MethodPost).status; got != tt.status {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.status)
		}
		_ = conn.Close()
		if tt.line != "" {
			g.log.wantFrom(t, mark, `"msg":"request"`, fmt.Sprintf(`"status":%d`, tt.status), `"user":"module/mail1"`, tt.line)
		}
		if after := filesBelow(t, c.dir); !slices.Equal(after, before) {
			t.Errorf("%s: files were %q and are %q", tt.name, before, after)
		}
	}
	if answer := module.want(t, http.StatusOK, http.MethodGet, base+"/data/"+otherName, nil); !bytes.Equal(answer.body, other) {
		t.Error("what was there has changed")
	}
	// Restic deletes what failed, and sends it again.
	module.want(t, http.StatusForbidden, http.MethodDelete, base+"/data/"+name, nil)
	module.want(t, http.StatusOK, http.MethodPost, base+"/data/"+name, content)
	module.want(t, http.StatusOK, http.MethodPost, base+"/data/"+nameOf(nil), nil)
}

func TestClientsThatStandStill(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t, func(opts *gateway.Options) { opts.StallTimeout = 10 * time.Second })
	module := g.module("mail1")
	big, bigName := blob(32 << 20)
	base := "/" + localDest + "/" + mailRepo
	module.want(t, http.StatusOK, http.MethodPost, base+"/config", aConfig)
	module.want(t, http.StatusOK, http.MethodPost, base+"/data/"+bigName, big)
	before := filesBelow(t, c.dir)

	for _, tt := range []struct {
		name   string
		caller caller
		sent   int
		status int
	}{
		{"in the middle of an upload", module, 50, 408},
		{"before an upload", module, 0, 408},
		{"with no credentials", module.with("", ""), 0, 401},
		{"with wrong credentials", module.with("module/mail1", wrongPassword), 50, 401},
		{"out of its scope", g.module("wiki7"), 50, 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			content, name := blob(100)
			conn := tt.caller.dial(t)
			tt.caller.send(t, conn, http.MethodPost, base+"/data/"+name, content[:tt.sent], contentLength(len(content)))
			if got := conn.answer(t, http.MethodPost).status; got != tt.status {
				t.Errorf("%d, want %d", got, tt.status)
			}
			if _, err := conn.answers.ReadByte(); err == nil {
				t.Error("the connection stays open")
			}
			g.log.want(t, `"obj":"data/`+name, fmt.Sprintf(`"status":%d`, tt.status))
		})
	}
	t.Run("in the middle of a download", func(t *testing.T) {
		t.Parallel()
		mark := g.log.mark()
		conn := module.dial(t)
		if err := conn.SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		module.send(t, conn, http.MethodGet, base+"/data/"+bigName, nil, "Range: bytes=0-")
		line := g.log.wantFrom(t, mark, `"method":"GET"`, `"status":499`, `"obj":"data/`+bigName)
		var told struct{ Sent int }
		if err := json.Unmarshal([]byte(line), &told); err != nil || told.Sent >= len(big) {
			t.Errorf("%v: the client got all: %s", err, line)
		}
	})
	t.Run("slow ones may continue", func(t *testing.T) {
		t.Parallel()
		content, name := blob(6)
		conn := module.dial(t)
		module.send(t, conn, http.MethodPost, base+"/data/"+name, nil, contentLength(len(content)))
		pause := time.NewTicker(2500 * time.Millisecond)
		defer pause.Stop()
		for i := range content {
			<-pause.C // together longer than the limit on standing still
			if _, err := conn.Write(content[i : i+1]); err != nil {
				t.Fatal(err)
			}
		}
		if got := conn.answer(t, http.MethodPost).status; got != http.StatusOK {
			t.Errorf("%d", got)
		}
		before = append(before, filepath.Join(mailRepo, "data", name[:2], name))
	})
	t.Cleanup(func() {
		// What the gateway notes for itself in the meantime is nobody's upload.
		after := slices.DeleteFunc(filesBelow(t, c.dir), func(name string) bool { return strings.HasPrefix(name, "rclone-gateway-trash/") })
		slices.Sort(before)
		slices.Sort(after)
		if !slices.Equal(after, before) {
			t.Errorf("files were %q and are %q", before, after)
		}
	})
}

func TestClientsThatVanish(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t)
	module := g.module("mail1")
	content, name := blob(8 << 20)
	target := "/" + localDest + "/" + mailRepo + "/data/" + name
	for _, linger := range []int{-1, 0} { // a farewell, and none
		mark := g.log.mark()
		conn := module.dial(t)
		module.send(t, conn, http.MethodPost, target, content[:4<<20], contentLength(len(content)))
		if err := conn.SetLinger(linger); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		g.log.wantFrom(t, mark, `"method":"POST"`, `"obj":"data/`+name, "bytes are missing")
		if files := filesBelow(t, c.dir); len(files) > 0 {
			t.Errorf("stored: %q", files)
		}
	}
	module.want(t, http.StatusOK, http.MethodPost, target, content)

	mark := g.log.mark()
	conn := module.dial(t)
	module.send(t, conn, http.MethodGet, target, nil)
	if _, err := conn.answers.ReadByte(); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	g.log.wantFrom(t, mark, `"method":"GET"`, `"status":499`, `"obj":"data/`+name)
}

func TestRanges(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := c.serve(t)
	module := g.module("mail1")
	content, name := blob(1000)
	base := "/" + localDest + "/" + mailRepo + "/data/"
	module.want(t, http.StatusOK, http.MethodPost, base+name, content)
	module.want(t, http.StatusOK, http.MethodPost, base+nameOf(nil), nil)
	for _, tt := range []struct {
		header       string
		status       int
		body         []byte
		contentRange string
	}{
		{"bytes=0-", 206, content, "bytes 0-999/1000"},
		{"bytes=0-9", 206, content[:10], "bytes 0-9/1000"},
		{"bytes=990-", 206, content[990:], "bytes 990-999/1000"},
		{"bytes=999-999", 206, content[999:], "bytes 999-999/1000"},
		{"bytes=0-99999999999999999999999", 206, content, "bytes 0-999/1000"},
		{"bytes=-5", 206, content[995:], "bytes 995-999/1000"},
		{"bytes=-5000", 206, content, "bytes 0-999/1000"},
		{"items=0-9", 200, content, ""},
		{"bytes=1000-", 416, nil, "bytes */1000"},
		{"bytes=1000-1001", 416, nil, "bytes */1000"},
		{"bytes=99999999999999999999999-", 416, nil, "bytes */1000"},
		{"bytes=-0", 416, nil, "bytes */1000"},
		{"bytes=9-3", 416, nil, ""},
		{"bytes=a-b", 416, nil, ""},
		{"bytes=-", 416, nil, ""},
		{"bytes=--1", 416, nil, ""},
		{"bytes", 416, nil, ""},
		{"bytes=0-1,3-4", 416, nil, ""},
	} {
		answer := module.want(t, tt.status, http.MethodGet, base+name, nil, "Range", tt.header)
		if tt.body != nil && (!bytes.Equal(answer.body, tt.body) || answer.header.Get("Content-Length") != strconv.Itoa(len(tt.body))) {
			t.Errorf("%s: other bytes", tt.header)
		}
		if got := answer.header.Get("Content-Range"); got != tt.contentRange {
			t.Errorf("%s: Content-Range %q, want %q", tt.header, got, tt.contentRange)
		}
		if tt.status == http.StatusRequestedRangeNotSatisfiable {
			g.log.want(t, `"status":416`, `"obj":"data/`+name, "range")
		}
	}
	answer := module.want(t, http.StatusOK, http.MethodGet, base+nameOf(nil), nil, "Range", "bytes=0-")
	if len(answer.body) != 0 || answer.header.Get("Content-Length") != "0" {
		t.Errorf("an empty object: %q", answer.header)
	}
}

// TestBrokenDestinations costs the requests that ask for them, and no others.
func TestBrokenDestinations(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	closed := testenv.FreeAddr(t)
	refusing := startRclone(t, "s3", t.TempDir(), "--auth-key", "another,pair-of-keys")
	missing := filepath.Join(t.TempDir(), "not", "mounted")
	const secret = "\nsecret_access_key = " + sectionSecret + "\n"

	broken := []struct {
		name     string
		section  string // behind its header
		url      string
		basePath string
		line     string // in the log
	}{
		{"its section does not parse", "type = s3\nno setting" + secret, "s3:host/bucket", "", "left out an entry of Redis"},
		{"its section has no type", "provider = AWS" + secret, "s3:host/bucket", "", "left out an entry of Redis"},
		{"its type is unknown", "type = floppy" + secret, "floppy:disk", "", "no such remote type"},
		{"a setting is none", "type = s3\nchunk_size = " + sectionSecret + secret, "s3:host/bucket", "", `the value of \"chunk_size\" does not parse`},
		{"its server is down", "type = s3\nprovider = Other\naccess_key_id = a\nendpoint = http://" + closed + secret, "s3:host/bucket", "", "connection refused"},
		{"its keys are refused", "type = s3\nprovider = Rclone\naccess_key_id = a\nendpoint = " + refusing + secret, "s3:host/bucket", "", "err"},
		{"its directory is missing", "type = local\n", "rclone:local:" + missing, missing, "no such file or directory"},
		{"what it wraps is unknown", "type = crypt\nremote = " + moreDest + ":x\npassword = " + sectionSecret, "rclone:crypt:x", "x", "err"},
	}
	id := func(i int) string { return fmt.Sprintf("bbbbbbbb-0000-4000-8000-%012d", i) }
	for i, b := range broken {
		d := redistest.Destination{ID: id(i), Name: b.name, Provider: "generic-s3", URL: b.url, BasePath: b.basePath}
		if b.basePath != "" {
			d.Provider = "rclone"
		}
		d.RcloneConf = "[" + d.ID + "]\n" + b.section
		c.AddDestinations(d)
	}
	g := c.serve(t)
	for i, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			content, name := blob(100)
			base := "/" + id(i) + "/" + mailRepo
			for _, step := range []struct {
				method, path string
				body         []byte
			}{
				{http.MethodHead, "/config", nil},
				{http.MethodGet, "/config", nil},
				{http.MethodPost, "/data/" + name, content},
				{http.MethodGet, "/data/", nil},
				{http.MethodPost, "/?create=true", nil},
				{http.MethodDelete, "/locks/" + name, nil},
			} {
				if b.line == "connection refused" && step.method != http.MethodHead {
					continue // each is tried again for a while
				}
				answer := g.module("mail1").call(t, step.method, base+step.path, step.body)
				if answer.status != http.StatusServiceUnavailable && answer.status != http.StatusBadGateway {
					t.Errorf("%s %s: %d, want 503", step.method, step.path, answer.status)
				}
			}
			g.log.want(t, id(i), b.line)
		})
	}
	t.Run("the others are as ever", func(t *testing.T) {
		t.Parallel()
		content, name := blob(1000)
		target := "/" + localDest + "/" + mailRepo + "/data/" + name
		g.module("mail1").want(t, http.StatusOK, http.MethodPost, target, content)
		g.module("mail1").want(t, http.StatusOK, http.MethodGet, target, nil)
	})
}

// namesAnObject reports whether the target of that name is, to a node, that of an object.
func namesAnObject(name, method string) bool {
	return strings.HasPrefix(name, "an encoded letter") || name == "a name in its shard" && method == http.MethodDelete
}
