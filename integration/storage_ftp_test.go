package integration

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/testcert"
)

// TestAnFTPServerThatAllowsFourConnectionsEndsItsLists backs up to a server that takes
// no fifth connection, and has restic look at all that is there.
func TestAnFTPServerThatAllowsFourConnectionsEndsItsLists(t *testing.T) {
	t.Parallel()
	s := startFTPFor(t, 4)
	c := newCluster(t)
	c.AddDestinations(s.destinations(t, moreDest, s.secret)...)
	g := c.serve(t)
	module := newRestic(t, "RESTIC_0_18", g.url+"/"+moreDest, mailRepo, "module/mail1")
	tree := storageTree(t, 1<<20)
	module.seed(t, 2)
	// Packs in many directories: each is listed over a connection of its own.
	base := "/" + moreDest + "/" + mailRepo
	for range 40 {
		content, name := blob(100)
		g.node().want(t, http.StatusOK, http.MethodPost, base+"/data/"+name, content)
	}
	module.run(t, "backup", tree)
	if packs := listed(t, g, base+"/data/"); len(packs) < 41 {
		t.Errorf("%d packs are listed", len(packs))
	}
	newRestic(t, "RESTIC_0_18", g.url+"/"+moreDest, mailRepo, "node/1").run(t, "prune") // packs that nothing names
	module.run(t, "check")
	answer := g.node().want(t, http.StatusOK, http.MethodPost, adminapi.CheckPath, []byte(`{"id":"`+moreDest+`"}`))
	var report adminapi.CheckReport
	// The check connects again, while the gateway keeps its own connections for a minute.
	if err := json.Unmarshal(answer.body, &report); err != nil || report.Error != "" && !strings.Contains(report.Reason, "set concurrency") {
		t.Errorf("the check: %+v, %v", report, err)
	}
}

// TestPacksGoToAnFTPServerWithTLS: the server answered 426 "Failure reading network
// stream" to uploads of 1 MiB and more, and took smaller ones.
func TestPacksGoToAnFTPServerWithTLS(t *testing.T) {
	t.Parallel()
	cert, key := testcert.New(t).Issue(t, "127.0.0.1")
	s := startFTPFor(t, 0, "ssl_enable=YES", "allow_anon_ssl=YES", "force_anon_logins_ssl=YES", "force_anon_data_ssl=YES",
		"ssl_ciphers=HIGH", "rsa_cert_file="+cert, "rsa_private_key_file="+key)
	plain := s.section
	s.section = func(secret string) map[string]string {
		section := plain(secret)
		maps.Copy(section, map[string]string{"explicit_tls": "true", "no_check_certificate": "true"})
		return section
	}
	c := newCluster(t)
	c.AddDestinations(s.destinations(t, moreDest, s.secret)...)
	g := c.serve(t)
	base := "/" + moreDest + "/" + mailRepo
	g.node().want(t, http.StatusOK, http.MethodPost, base+"/?create=true", nil)
	for _, size := range []int{1, 100 << 10, 1 << 20, 1 << 20, 4 << 20, 4 << 20} {
		content, name := blob(size)
		g.node().want(t, http.StatusOK, http.MethodPost, base+"/data/"+name, content)
		if got := g.node().want(t, http.StatusOK, http.MethodGet, base+"/data/"+name, nil); !bytes.Equal(got.body, content) {
			t.Errorf("of %d bytes came %d", size, len(got.body))
		}
	}
	answer := g.node().want(t, http.StatusOK, http.MethodPost, adminapi.CheckPath, []byte(`{"id":"`+moreDest+`"}`))
	var report adminapi.CheckReport
	if err := json.Unmarshal(answer.body, &report); err != nil || report.Error != "" {
		t.Errorf("the check: %+v, %v", report, err)
	}
}
