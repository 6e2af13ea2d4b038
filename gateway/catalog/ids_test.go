package catalog

import "testing"

func TestUUIDIsLowerCaseWithHyphens(t *testing.T) {
	for s, want := range map[string]bool{
		"0b7a3c86-41ab-4c38-9a5f-1f4ac4d4c001":    true,
		"0B7A3C86-41ab-4c38-9a5f-1f4ac4d4c001":    false,
		"0b7a3c86041ab-4c38-9a5f-1f4ac4d4c001":    false,
		"0b7a3c86-41ab-4c38-9a5f-1f4ac4d4c00g":    false,
		"0b7a3c86-41ab-4c38-9a5f-1f4ac4d4c00":     false,
		"0b7a3c86-41ab-4c38-9a5f-1f4ac4d4c0011":   false,
		"{b7a3c86-41ab-4c38-9a5f-1f4ac4d4c001}":   false,
		"0b7a3c86-41ab-4c38-9a5f-1f4ac4d4c0/1":    false,
		"0b7a3c86-41ab-4c38-9a5f-1f4ac4d4c0\x001": false,
		"": false,
	} {
		if got := validUUID(s); got != want {
			t.Errorf("validUUID(%q) = %v", s, got)
		}
	}
}

func TestAppTypeOfAnImageIsItsName(t *testing.T) {
	for url, want := range map[string]string{
		"ghcr.io/nethserver/traefik:3.0":           "traefik",
		"ghcr.io/nethserver/traefik@sha256:00":     "traefik",
		"ghcr.io/nethserver/traefik:3.0@sha256:00": "traefik",
		"localhost:5000/traefik":                   "traefik",
		"traefik":                                  "traefik",
		"ghcr.io/nethserver/webtop5:latest":        "webtop5",
		"":                                         "",
		"ghcr.io/nethserver/":                      "",
	} {
		if got := appOfImage(url); got != want {
			t.Errorf("appOfImage(%q) = %q, want %q", url, got, want)
		}
	}
}

func TestKeysAreThoseOfNethServer8(t *testing.T) {
	for got, want := range map[string]string{
		DestinationKey("d"):             "cluster/backup_repository/d",
		BackupKey("1"):                  "cluster/backup/1",
		BackupStatusKey("2", "1"):       "node/2/backup_status/1",
		ChannelBackupStatusChanged("2"): "node/2/event/backup-status-changed",
		NodeVPNKey("2"):                 "node/2/vpn",
		ModuleEnvironmentKey("m1"):      "module/m1/environment",
		ModuleUINameKey("m1"):           "module/m1/ui_name",
		ModuleUINoteKey("m1"):           "module/m1/ui_note",
		ModuleFlagsKey("m1"):            "module/m1/flags",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
