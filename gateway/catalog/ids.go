package catalog

import "strings"

// validUUID reports whether s is a UUID as NethServer 8 writes it: in lower case
// with hyphens. Other spellings are not normalised: what is compared with the
// path of a request is what stands in Redis.
func validUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}

// validNodeID reports whether s is a decimal number from 1 on, without leading zeros.
func validNodeID(s string) bool {
	if s == "" || len(s) > 9 || s[0] == '0' {
		return false
	}
	return strings.Trim(s, "0123456789") == ""
}

// validModuleID reports whether s is an app type with or without a number behind it.
func validModuleID(s string) bool { return validApp(s) && validApp(appOfModule(s)) }

// validApp reports whether s can be an app type, the name of a container image:
// lower-case letters, digits and inner ".", "_" and "-". A dot at the end is
// excluded, because some file systems drop it.
func validApp(s string) bool {
	if s == "" || len(s) > 128 || s[len(s)-1] == '.' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case (c == '.' || c == '_' || c == '-') && i > 0:
		default:
			return false
		}
	}
	return true
}

// appOfModule is the app type that a module's ID tells: "traefik" of "traefik1".
func appOfModule(id string) string { return strings.TrimRight(id, "0123456789") }

// appOfImage is the app type that a module's image tells: "traefik" of
// "ghcr.io/nethserver/traefik:3.0@sha256:…".
func appOfImage(url string) string {
	name := url[strings.LastIndexByte(url, '/')+1:]
	if i := strings.IndexAny(name, ":@"); i >= 0 {
		name = name[:i]
	}
	return name
}
