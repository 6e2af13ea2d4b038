package pairing_test

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/pairing"
)

func TestCodeIsReadAsPeopleTypeIt(t *testing.T) {
	t.Parallel()
	for range 200 {
		c := pairing.New()
		text := c.Text()
		if !regexp.MustCompile(`^([0-9A-HJKMNP-TV-Z]{4}-){4}[0-9A-HJKMNP-TV-Z]{4}$`).MatchString(text) {
			t.Fatalf("the code has the form %s", text)
		}
		confused := strings.NewReplacer("0", "o", "1", "l").Replace(text)
		for _, typed := range []string{text, strings.ToLower(text), strings.ReplaceAll(text, "-", ""), strings.ReplaceAll(text, "-", " ") + "\r\n", confused} {
			if got, err := pairing.Parse(typed); err != nil || got != c {
				t.Fatalf("typed as %q: %v", typed, err)
			}
		}
	}
}

func TestMistypedCodeIsToldApart(t *testing.T) {
	t.Parallel()
	for range 50 {
		text := strings.ReplaceAll(pairing.New().Text(), "-", "")
		for at, r := range text {
			for _, other := range "0123456789ABCDEFGHJKMNPQRSTVWXYZ" {
				typed := text[:at] + string(other) + text[at+1:]
				if _, err := pairing.Parse(typed); err == nil && r != other {
					t.Fatalf("%s for %s is not noticed", typed, text)
				}
			}
			for next := at + 1; next < len(text); next++ {
				typed := text[:at] + text[next:next+1] + text[at+1:next] + text[at:at+1] + text[next+1:]
				if _, err := pairing.Parse(typed); err == nil && typed != text {
					t.Fatalf("%s for %s is not noticed", typed, text)
				}
			}
		}
	}
	for _, typed := range []string{"", "-", "ABCD", strings.Repeat("0", 20), strings.Repeat("A", 21), strings.Repeat("U", 20), "ÄBCD-EFGH-JKMN-PQRS-TVWX"} {
		_, err := pairing.Parse(typed)
		if err == nil || typed != "" && strings.Contains(err.Error(), typed) && len(typed) > 1 {
			t.Errorf("%q: %v", typed, err)
		}
	}
}

func TestOnlyTheCodeOpensWhatItSealed(t *testing.T) {
	t.Parallel()
	c, other := pairing.New(), pairing.New()
	plain := []byte("REDIS_PASSWORD=secret\n")
	sealed := c.Seal(plain)
	if bytes.Contains(sealed, plain) || bytes.Equal(sealed, c.Seal(plain)) {
		t.Error("it is not sealed, or twice alike")
	}
	if got, err := c.Open(sealed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("it opens as %q: %v", got, err)
	}
	if _, err := other.Open(sealed); !errors.Is(err, pairing.ErrForeign) {
		t.Errorf("with another code: %v", err)
	}
	for at := range sealed {
		changed := bytes.Clone(sealed)
		changed[at] ^= 1
		if _, err := c.Open(changed); !errors.Is(err, pairing.ErrForeign) {
			t.Fatalf("with byte %d changed: %v", at, err)
		}
	}
	if _, err := c.Open(nil); !errors.Is(err, pairing.ErrForeign) {
		t.Errorf("nothing opens: %v", err)
	}
}

func TestTicketTellsNothing(t *testing.T) {
	t.Parallel()
	c := pairing.New()
	again, err := pairing.Parse(c.Text())
	if err != nil || c.Ticket() != again.Ticket() || c.Ticket() == pairing.New().Ticket() {
		t.Error("a ticket is not that of one code")
	}
	for _, shown := range []string{c.Ticket(), pairing.Name(c.Ticket()), fmt.Sprint(c), fmt.Sprintf("%#v %+v %s", c, c, c)} {
		if strings.Contains(strings.ToUpper(shown), strings.ReplaceAll(c.Text(), "-", "")) || strings.Contains(shown, c.Text()) {
			t.Errorf("the code is in %q", shown)
		}
	}
	if pairing.Name(c.Ticket()) == c.Ticket() {
		t.Error("the name in Redis is the ticket")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(pairing.New().Text())
	f.Add("ooo-lll-iii")
	f.Fuzz(func(t *testing.T, typed string) {
		c, err := pairing.Parse(typed)
		if err != nil {
			return
		}
		if again, err := pairing.Parse(c.Text()); err != nil || again != c {
			t.Errorf("%q is read as another one: %v", typed, err)
		}
	})
}
