package config

import (
	"strings"
	"testing"
)

// TestEIC: codes of bidding zones as ENTSO-E lists them, and slips of the pen.
func TestEIC(t *testing.T) {
	for _, code := range []string{"10YFR-RTE------C", "10YBE----------2", "10Y1001A1001A82H", "10YES-REE------0", "10YPT-REN------W", "10YNL----------L"} {
		if err := eic(code); err != nil {
			t.Error(err)
		}
	}
	for _, code := range []string{"10YFR-RTE------D", "10YRF-RTE------C", "10YBE----------3"} {
		if eic(code) == nil {
			t.Errorf("%s is taken", code)
		}
	}
}

// TestFeedKey: the token comes from the environment, and an error never shows it.
func TestFeedKey(t *testing.T) {
	t.Setenv("QUARTIER_TEST_TOKEN", " s3cret\n")
	if key, err := (&Feed{KeyEnv: "QUARTIER_TEST_TOKEN"}).Key(); key != "s3cret" || err != nil {
		t.Errorf("%q, %v", key, err)
	}
	if _, err := (&Feed{KeyFile: "nowhere/token"}).Key(); err == nil || !strings.Contains(err.Error(), "feeds.key_file") {
		t.Error(err)
	}
}
