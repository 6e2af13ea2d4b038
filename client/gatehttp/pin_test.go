package gatehttp

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/testcert"
)

// secureServer is one with a certificate for 127.0.0.1, which presents others behind it.
func secureServer(t *testing.T, authority *testcert.Authority, others ...string) (*httptest.Server, tls.Certificate) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(authority.Issue(t, "127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range others {
		pair.Certificate = append(pair.Certificate, derOf(t, other))
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "heard") }))
	server.Config.ErrorLog = nil
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, pair
}

func derOf(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	return block.Bytes
}

func TestAnchorIsThePresentedCertificateNearestToTheCA(t *testing.T) {
	t.Parallel()
	authority := testcert.New(t)
	for _, others := range [][]string{nil, {authority.CA}} {
		server, pair := secureServer(t, authority, others...)
		base, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Anchor(t.Context(), Files{CACerts: []string{authority.CA}}, base)
		if err != nil {
			t.Fatal(err)
		}
		if want := Fingerprint(sha256.Sum256(pair.Certificate[len(pair.Certificate)-1])); got != want {
			t.Errorf("with %d others presented: %s, want %s", len(others), got, want)
		}
		if _, err := Anchor(t.Context(), Files{CACerts: []string{testcert.New(t).CA}}, base); err == nil {
			t.Error("a server of another CA has an anchor")
		}
		if answer := askPinned(t, server.URL, "127.0.0.1", got); answer != "heard" {
			t.Errorf("by that it is reached: %s", answer)
		}
	}
}

// askPinned is what a server answers that is known by a fingerprint, or the error.
func askPinned(t *testing.T, address, host string, pin Fingerprint) string {
	t.Helper()
	over, err := Pinned(Files{}, host, pin)
	if err != nil {
		t.Fatal(err)
	}
	defer over.CloseIdleConnections()
	response, err := (&http.Client{Transport: over}).Get(address)
	if err != nil {
		if errors.Is(err, ErrPinned) {
			return ErrPinned.Error()
		}
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestNothingIsSentToAServerOfAnotherFingerprint(t *testing.T) {
	t.Parallel()
	authority := testcert.New(t)
	server, pair := secureServer(t, authority, authority.CA)
	other, _ := secureServer(t, testcert.New(t))
	pin := Fingerprint(sha256.Sum256(pair.Certificate[0]))
	if answer := askPinned(t, other.URL, "127.0.0.1", pin); answer != ErrPinned.Error() {
		t.Errorf("another server: %s", answer)
	}
	if answer := askPinned(t, server.URL, "gw.example.org", pin); !strings.Contains(answer, "gw.example.org") {
		t.Errorf("under a name that is not its own: %s", answer)
	}
	// A certificate that is only presented vouches for nobody.
	stranger, _ := secureServer(t, testcert.New(t), authority.CA)
	if answer := askPinned(t, stranger.URL, "127.0.0.1", sha256.Sum256(derOf(t, authority.CA))); answer == "heard" {
		t.Error("a CA vouches for a certificate that it did not sign")
	}
}

func TestFingerprintsAreReadAsProgramsWriteThem(t *testing.T) {
	t.Parallel()
	want := Fingerprint(sha256.Sum256(nil))
	colons := strings.ToUpper(want.String()[:2])
	for at := 2; at < len(want.String()); at += 2 {
		colons += ":" + strings.ToUpper(want.String()[at:at+2])
	}
	for _, text := range []string{want.String(), colons, "SHA256:" + colons, "sha256:" + want.String()} {
		if got, err := ParseFingerprint(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "12", want.String() + "00", strings.Repeat("x", 64)} {
		if _, err := ParseFingerprint(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
