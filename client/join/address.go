package join

import (
	"net/netip"
	"net/url"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/gatehttp"
)

// Address checks the address of a gateway for other hosts: it must be https, unless plain
// is allowed or the address is on this host.
func Address(text string, plain bool) (*url.URL, error) {
	address, err := url.Parse(gatehttp.Base(text))
	if err != nil || address.Hostname() == "" || address.Path != "" || address.User != nil || address.RawQuery != "" || address.Fragment != "" {
		return nil, exit.Failf(exit.Usage, "the gateway's address %q must have the form https://HOST:PORT", text)
	}
	switch {
	case address.Scheme == "https":
		return address, nil
	case address.Scheme != "http":
		return nil, exit.Failf(exit.Usage, "the gateway's address %q must begin with https://", text)
	case plain || isLoopback(address.Hostname()):
		return address, nil
	}
	return nil, exit.Failf(exit.Usage, "over %s the password goes readable through the network: let the gateway speak https (--tls-cert and --tls-key), or say --allow-http where the network itself is encrypted", text)
}

func isLoopback(name string) bool {
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.IsLoopback()
}
