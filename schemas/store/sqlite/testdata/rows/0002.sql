-- what the transformer station of 0002 metered beyond the sites
update balances set station_residual_wh=12;
