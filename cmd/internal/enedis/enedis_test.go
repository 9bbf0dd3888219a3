package enedis

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"quartier/schemas/district"
)

const (
	account = `Identifiant PRM;Type de donnees;Date de debut;Date de fin;Grandeur physique;Grandeur metier;Etape metier;Unite;Pas en minutes
21300000000001;Courbe de charge;24/10/2026;26/10/2026;Energie active;Consommation;Comptage Brut;W;

Horodate;Valeur
`
	flat = "Identifiant PRM;Date de début;Date de fin;Grandeur physique;Grandeur métier;Etape métier;Unité;Horodate;Valeur;Nature;Pas;Indice de vraisemblance;Etat complementaire\n"
	r50  = `<?xml version="1.0" encoding="UTF-8"?>
<R50><En_Tete_Flux><Identifiant_Flux>R50</Identifiant_Flux><Pas_Publication>30</Pas_Publication></En_Tete_Flux>
<PRM><Id_PRM>21300000000002</Id_PRM><Donnees_Releve><Date_Releve>2026-03-01</Date_Releve>
<PDC><H>2026-03-01T00:30:00+01:00</H><V>700</V><IV>0</IV></PDC>
<PDC><H>2026-03-01T01:00:00+01:00</H><V>710</V><IV>1</IV></PDC>
<PDC><H>2026-03-01T01:30:00+01:00</H></PDC>
</Donnees_Releve></PRM></R50>`
	r4q = `<Courbe><Entete><Identifiant_Flux>R4x</Identifiant_Flux></Entete><Corps><Identifiant_PRM>30000000000003</Identifiant_PRM>
<Donnees_Courbe><Granularite>10</Granularite><Unite_Mesure>kW</Unite_Mesure><Grandeur_Metier>CONS</Grandeur_Metier><Grandeur_Physique>EA</Grandeur_Physique>
<Donnees_Point_Mesure Horodatage="2026-03-07T00:00:00+01:00" Valeur_Point="398" Statut_Point="R"/>
<Donnees_Point_Mesure Horodatage="2026-03-07T00:10:00+01:00" Valeur_Point="383" Statut_Point="E"/>
</Donnees_Courbe>
<Donnees_Courbe><Granularite>10</Granularite><Unite_Mesure>V</Unite_Mesure><Grandeur_Metier>CONS</Grandeur_Metier><Grandeur_Physique>E</Grandeur_Physique>
<Donnees_Point_Mesure Horodatage="2026-03-07T00:00:00+01:00" Valeur_Point="231" Statut_Point="R"/>
</Donnees_Courbe></Corps></Courbe>`
)

// said writes values and refusals briefly: time UTC, minutes of the step, kW.
func said(t *testing.T, text string, stamp Stamp) (values, refused []string) {
	t.Helper()
	if !Is([]byte(text)[:min(512, len(text))]) {
		t.Errorf("%.60q is not recognized", text)
	}
	got, err := Read(iotest.OneByteReader(strings.NewReader(text)), stamp, func(line int, reason error) { refused = append(refused, fmt.Sprintf("%d: %v", line, reason)) })
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range got {
		text := fmt.Sprintf("%s %s %gm %g kW", v.Point[len(v.Point)-2:], v.Start.Format("02T15:04"), v.Step.Minutes(), v.PowerKW)
		if v.Export {
			text += " fed"
		}
		if v.Quality != district.Good {
			text += " " + v.Quality.String()
		}
		values = append(values, text)
	}
	return values, refused
}

func TestRead(t *testing.T) {
	for _, tt := range []struct {
		name, text      string
		stamp           Stamp
		values, refused []string
	}{
		{"account, 30 minutes, stamped at the end, the hours of October apart by their offset",
			"\ufeff" + account + "2026-10-25T02:00:00+02:00;1200\r\n2026-10-25T02:30:00+02:00;800\n2026-10-25T02:00:00+01:00;600\n2026-10-25T02:30:00+01:00;\n", ByStep,
			[]string{"01 24T23:30 30m 1.2 kW", "01 25T00:00 30m 0.8 kW", "01 25T00:30 30m 0.6 kW"}, []string{"8: no value was published"}},
		{"account, 10 minutes, stamped at the beginning, not in order",
			account + "2020-08-20T23:50:00+02:00;264\n2020-08-20T23:40:00+02:00;270\n", ByStep, []string{"01 20T21:40 10m 0.27 kW", "01 20T21:50 10m 0.264 kW"}, nil},
		{"account whose step changes", account + "2026-01-01T01:00:00+01:00;1000\n2026-01-01T02:00:00+01:00;1000\n2026-01-01T03:00:00+01:00;1000\n2026-01-01T03:30:00+01:00;2000\n2026-01-01T04:00:00+01:00;2000\n2026-01-01T04:30:00+01:00;2000\n2026-01-01T05:30:00+01:00;2000\n", ByStep,
			[]string{"01 31T23:00 60m 1 kW", "01 01T00:00 60m 1 kW", "01 01T01:30 30m 1 kW", "01 01T02:00 30m 2 kW", "01 01T02:30 30m 2 kW", "01 01T03:00 30m 2 kW", "01 01T04:00 30m 2 kW"}, nil},
		{"the other stamp", account + "2026-01-01T00:00:00+01:00;1000\n2026-01-01T00:30:00+01:00;2000\n", Begin, []string{"01 31T23:00 30m 1 kW", "01 31T23:30 30m 2 kW"}, nil},
		{"local time: two hours in October by their order, none in March",
			flat + "21300000000001;;;EA;CONS;;W;2026-10-25 02:30:00;100;R;PT30M;0;0\n21300000000001;;;EA;CONS;;W;2026-10-25 02:00:00;200;R;PT30M;0;0\n21300000000001;;;EA;CONS;;W;2026-10-25 02:30:00;300;R;PT30M;0;0\n" +
				"21300000000001;;;EA;CONS;;W;2026-10-25 03:00:00;400;R;PT30M;0;0\n21300000000001;;;EA;CONS;;W;2026-03-29 02:30:00;1;R;PT30M;0;0\n", ByStep,
			[]string{"01 25T00:00 30m 0.1 kW", "01 25T00:30 30m 0.2 kW", "01 25T01:00 30m 0.3 kW", "01 25T01:30 30m 0.4 kW"}, []string{`6: time "2026-03-29 02:30:00" does not exist: the clock was put forward`}},
		{"flat: energies, both directions, natures, and every fault of a line",
			flat + "21300000000001;;;EA;CONS;BEST;Wh;2026-01-01T00:15:00+01:00;250;E;PT15M;0;0\n21300000000001;;;EA;PROD;BEST;kWh;2026-01-01T00:15:00+01:00;0,5;B;PT15M;0;0\n" +
				"2130;;;ERC;CONS;;VAr;yesterday;-1;Q;PT7M;;\n21300000000001;;;EA;CONS;BEST;Wh;2026-01-01T00:15:00+01:00;250;E;PT15M;0;0\n21300000000001;;;EA;CONS;BEST;Wh;2026-01-01T00:15:00+01:00;251;R;PT15M;0;0\n", ByStep,
			[]string{"01 31T23:00 15m 1 kW substituted", "01 31T23:00 15m 2 kW fed"},
			[]string{`4: delivery point "2130" has not 14 digits; quantity "ERC" is not active power; unit "VAr" is none of W, kW, Wh and kWh; step "PT7M" is none of 5, 10, 15, 30 and 60 min; nature "Q" is unknown; ` +
				`time "yesterday" is none such as 2026-01-31T12:30:00+01:00; value -1 is negative`, "6: 21300000000001 2026-01-01T00:15:00+01:00 was on line 2 with 250 Wh, here it is 251"}},
		{"no load curve", strings.Replace(account, "Courbe de charge", "Index", 1) + "2026-01-01T00:00:00+01:00;1000\n", ByStep, nil, []string{`5: "Index" is no load curve`}},
		{"one value alone", account + "2026-01-01T00:00:00+01:00;1000\n", ByStep, nil, []string{"5: 2026-01-01T00:00:00+01:00: the step of the value is not in the file and cannot be told from its neighbours"}},
		{"R50, stamped at the end", r50, ByStep, []string{"02 28T23:00 30m 0.7 kW", "02 28T23:30 30m 0.71 kW uncertain"}, []string{"6: no value was published"}},
		{"R4Q, stamped at the beginning, in kW", r4q, ByStep, []string{"03 06T23:00 10m 398 kW", "03 06T23:10 10m 383 kW substituted"},
			[]string{`7: quantity "E" is not active power; unit "V" is none of W, kW, Wh and kWh`}},
		{"R4Q of 30 minutes", strings.ReplaceAll(r4q, ">10<", ">30<"), ByStep, []string{"03 06T23:00 30m 398 kW", "03 06T23:10 30m 383 kW substituted"},
			[]string{`7: quantity "E" is not active power; unit "V" is none of W, kW, Wh and kWh`}},
		{"R50 that breaks off", r50[:strings.Index(r50, "01:00:00")], ByStep, []string{"02 28T23:00 30m 0.7 kW"}, []string{"5: the document breaks off: unexpected EOF"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			values, refused := said(t, tt.text, tt.stamp)
			if !reflect.DeepEqual(values, tt.values) || !reflect.DeepEqual(refused, tt.refused) {
				t.Errorf("values\n%q\nrefused\n%q\nwant\n%q\n%q", values, refused, tt.values, tt.refused)
			}
		})
	}
	if Is([]byte("series,time,value,quality\n")) || Is([]byte("<html>")) || Is(nil) {
		t.Error("another file is taken for one of Enedis")
	}
	broken := errors.New("disk gone")
	if _, err := Read(iotest.ErrReader(broken), ByStep, nil); !errors.Is(err, broken) {
		t.Errorf("a broken disk is %v", err)
	}
}

// FuzzRead: whatever the bytes, each line is refused at most once with a reason, and what is taken has a step, a point and a power, no step of a point twice.
func FuzzRead(f *testing.F) {
	for _, text := range []string{account + "2026-10-25T02:00:00+02:00;1200\n2026-10-25T02:30:00+02:00;800\n", flat + "21300000000001;;;EA;CONS;;W;2026-10-25 02:30:00;100;R;PT30M;0;0\n", r50, r4q} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		got, err := Read(strings.NewReader(text), ByStep, func(line int, reason error) {
			if line < last || reason.Error() == "" || strings.Contains(reason.Error(), "\n") {
				t.Fatalf("line %d after %d refused for %q", line, last, reason)
			}
			last = line
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			if len(v.Point) != 14 || !known(v.Step) || !(v.PowerKW >= 0) || v.Line < 1 {
				t.Fatalf("took %+v", v)
			}
			if i > 0 && got[i-1].Point == v.Point && got[i-1].Export == v.Export && v.Start.Add(time.Hour).Before(got[i-1].Start) {
				t.Fatalf("%+v after %+v", v, got[i-1])
			}
		}
	})
}
