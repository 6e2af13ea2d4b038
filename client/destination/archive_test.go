package destination

import (
	"encoding/base64"
	"errors"
	"testing"
)

// fromGPG was made by gpg 2.2 as NethServer 8 calls it: gzip of an archive without
// destinations, encrypted with --symmetric to the passphrase "right".
const fromGPG = "jA0ECQMChpxu+Og5svz/0oIBoGVf+6Zag7cy7F7UmlWjP4/n3S245oLryDQ5cJlofUCcwLpzvtgJvHJQpypLxORC9Kipf5Agh85fIKj0h37LLH23wcFDp/xa4nPDFbZjeuXZaVIv9yjh1dFwvVfdhkGUROz3b1Qk7iQl8oTGxj0SgGO8SZBVrY7M+hx2ePPhYpWe"

func TestArchiveOfGPGIsOpened(t *testing.T) {
	t.Parallel()
	data, err := base64.StdEncoding.DecodeString(fromGPG)
	if err != nil {
		t.Fatal(err)
	}
	a, err := ParseArchive(data, "right")
	if err != nil || a.Version != "4" || a.Cluster.UUID != "u" {
		t.Errorf("%v, %v", a, err)
	}
	if _, err := ParseArchive(data, "wrong"); !errors.Is(err, ErrPassphrase) {
		t.Errorf("a wrong passphrase: %v", err)
	}
	data[len(data)-8] ^= 1
	if _, err := ParseArchive(data, "right"); err == nil {
		t.Error("a changed archive was opened")
	}
}
