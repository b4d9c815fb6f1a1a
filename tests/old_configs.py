"""Configurations as the original HIL-scheduler had them over time."""

NEWEST = """\
# HIL Scheduler Configuration
general:
  log_level: debug

time:
  timezone: "Europe/Lisbon"

schedule:
  source_csv: "schedule_source.csv"
  duration_h: 0.5
  default_resolution_min: 5

startup:
  schedule_source: "manual"
  transport_mode: "remote"
  initial_soc_pu: 0.4

istentore_api:
  base_url: "https://market.example/default"
  email: "bench@example.org"
  tomorrow_poll_start_time: "9:30"
  schedule_period_minutes: 30
  post_measurements_in_api_mode: false
  measurement_post_period_s: 90
  measurement_post_queue_maxlen: 2000
  measurement_post_retry_initial_s: 3
  measurement_post_retry_max_s: 70

timing:
  data_fetcher_period_s: 100
  scheduler_period_s: 1
  plant_period_s: 0.5
  measurement_period_s: 4
  measurements_write_period_s: 60

dashboard:
  private:
    host: "127.0.0.1"
    port: 8051
  public_readonly:
    enabled: false
    host: "127.0.0.2"
    port: 8061
    auth:
      mode: "none"

recording:
  compression:
    enabled: no
    max_kept_gap_s: 300
    tolerances:
      p_setpoint_kw: 0.01
      battery_active_power_kw: 0.2
      q_setpoint_kvar: 0.02
      battery_reactive_power_kvar: 0.3
      soc_pu: 0.0002
      p_poi_kw: 0.4
      q_poi_kvar: 0.5
      v_poi_kV: 0.002

plants:
  lib:
    name: "LIB one"
    model:
      capacity_kwh: 510.0
      power_limits: {p_max_kw: 1001.0, p_min_kw: -1002.0, q_max_kvar: 601.0, q_min_kvar: -602.0}
      poi_voltage_kv: 20.5
    modbus:
      local:
        host: "localhost"
        port: 5020
        byte_order: "big"
        word_order: "msw_first"
        points: &lib_points
          p_setpoint: {address: 86, format: int16, access: rw, unit: kw, eng_per_count: 0.1}
          p_poi: {address: 290, format: int16, access: r, unit: kW, eng_per_count: 0.1}
          p_battery: {address: 270, format: int16, access: r, unit: kW, eng_per_count: 0.1}
          q_setpoint: {address: 88, format: int16, access: rw, unit: kvar, eng_per_count: 0.1}
          q_poi: {address: 292, format: int16, access: r, unit: kvar, eng_per_count: 0.1}
          q_battery: {address: 272, format: int16, access: r, unit: kvar, eng_per_count: 0.1}
          v_poi: {address: 296, format: uint16, access: r, unit: V, eng_per_count: 1.0}
          enable: {address: 1, format: uint16, access: rw, unit: raw, eng_per_count: 1.0}
          soc: {address: 281, format: uint16, access: r, unit: pc, eng_per_count: 0.01}
          stop_command: {address: 85, format: uint16, access: rw, unit: raw, eng_per_count: 1}
      remote:
        host: "192.0.2.21"
        port: 502
        byte_order: "big"
        word_order: "msw_first"
        points: *lib_points
    measurement_series: {soc: 4, p: 6, q: null, v: 8}
  vrfb:
    name: "VRFB"
    model:
      capacity_kwh: 400.0
      power_limits: {p_max_kw: 160.0, p_min_kw: -161.0, q_max_kvar: 64.0, q_min_kvar: -65.0}
      poi_voltage_kv: 0.22
    modbus:
      local:
        host: "127.0.0.1"
        port: 5021
        byte_order: "little"
        word_order: "lsw_first"
        points:
          p_setpoint: {address: 100, format: float32, access: rw, unit: W, eng_per_count: 1}
          p_poi: {address: 102, format: float32, access: r, unit: W, eng_per_count: 1}
          p_battery: {address: 104, format: int32, access: r, unit: W, eng_per_count: 10}
          q_setpoint: {address: 106, format: float32, access: rw, unit: var, eng_per_count: 1}
          q_poi: {address: 108, format: float32, access: r, unit: var, eng_per_count: 1}
          q_battery: {address: 110, format: int32, access: r, unit: Mvar, eng_per_count: 0.00001}
          v_poi: {address: 112, format: uint32, access: r, unit: kV, eng_per_count: 0.001}
          enable: {address: 114, format: uint16, access: rw, unit: raw, eng_per_count: 1}
          soc: {address: 115, format: uint16, access: r, unit: "%", eng_per_count: 0.1}
      remote:
        host: "192.0.2.22"
        port: 1502
        byte_order: "big"
        word_order: "msw_first"
        points:
          p_setpoint: {address: 1, format: int16, access: rw, unit: kW, eng_per_count: 0.1}
          q_setpoint: {address: 2, format: int16, access: rw, unit: kvar, eng_per_count: 0.1}
          start_command: {address: 5, format: uint16, access: rw, unit: raw, eng_per_count: 1}
          enable: {address: 7, format: uint16, access: rw, unit: raw, eng_per_count: 1}
          p_poi: {address: 14, format: int16, access: r, unit: kW, eng_per_count: 0.1}
          p_battery: {address: 14, format: int16, access: r, unit: kW, eng_per_count: 0.1}
          q_poi: {address: 15, format: int16, access: r, unit: kvar, eng_per_count: 0.1}
          q_battery: {address: 15, format: int16, access: r, unit: kvar, eng_per_count: 0.1}
          soc: {address: 22, format: uint16, access: r, unit: pu, eng_per_count: 0.0001}
          v_poi: {address: 29, format: uint16, access: r, unit: V, eng_per_count: 1}
    measurement_series: {soc: 5, p: 11, q: 10, v: 9}
"""

_FLAT = """\
        registers:
          p_setpoint: 86
          p_poi: 290
          p_battery: 270
          q_setpoint: 88
          q_poi: 292
          q_battery: 272
          v_poi: 296
          enable: 1
          soc: 281
"""

FLAT_REGISTERS = f"""\
general: {{log_level: INFO}}
time: {{timezone: Europe/Madrid}}
startup: {{schedule_source: manual, transport_mode: local, initial_soc_pu: 0.5}}
istentore_api:
  base_url: "https://market.example/default"
  email: "i-STENTORE"
  poll_start_time: "15:00"
  schedule_period_minutes: 15
timing: {{data_fetcher_period_s: 120, scheduler_period_s: 2, plant_period_s: 2}}
recording:
  compression:
    enabled: true
    tolerances: {{soc_pu: 0.001, v_poi_pu: 0.001}}
plants:
  lib:
    name: "LIB"
    model:
      capacity_kwh: 500.0
      power_limits: {{p_max_kw: 1000.0, p_min_kw: -1000.0, q_max_kvar: 600.0, q_min_kvar: -600.0}}
      poi_voltage_v: 20000.0
    modbus:
      local:
        host: "localhost"
        port: 5020
{_FLAT}      remote:
        host: "192.0.2.21"
        port: 502
{_FLAT}    measurement_series: {{soc: 4, p: 6, q: 7, v: 8}}
  vrfb:
    name: "VRFB"
    model:
      capacity_kwh: 3000.0
      power_limits: {{p_max_kw: 3000.0, p_min_kw: -3000.0, q_max_kvar: 1200.0, q_min_kvar: -1200.0}}
      poi_voltage_v: 400.0
    modbus:
      local:
        host: "localhost"
        port: 5021
{_FLAT}      remote:
        host: "192.0.2.22"
        port: 502
{_FLAT}    measurement_series: {{soc: 5, p: 11, q: 10, v: 9}}
"""

ONE_PLANT = """\
general:
  log_level: INFO
schedule:
  source_csv: "schedule_source.csv"
startup:
  schedule_source: "api"
  plant: "remote"
istentore_api:
  base_url: "https://market.example/default"
  email: "i-STENTORE"
  password: "never show me"
  poll_interval_min: 10
  poll_start_time: "17:30"
  measurement_series_by_plant:
    local: {soc: 4, p: 6, q: 7, v: null}
    remote: {soc: 5, p: 11, q: 10, v: 9}
timing:
  data_fetcher_period_s: 120
  scheduler_period_s: 1
  plant_period_s: 1
  measurement_period_s: 1
  measurements_write_period_s: 60
plant:
  capacity_kwh: 50.0
  initial_soc_pu: 0.6
  power_limits:
    p_max_kw: 1000.0
    p_min_kw: -1000.0
    q_max_kvar: 600.0
    q_min_kvar: -600.0
  poi_voltage_v: 20000.0
modbus_local:
  host: "localhost"
  port: 5020
  description: "Local emulated plant"
  registers:
    p_setpoint_in: 0
    p_poi: 14
    p_battery: 2
    q_setpoint_in: 4
    q_poi: 16
    q_battery: 6
    v_poi: 18
    enable: 10
    soc: 12
modbus_remote:
  host: "192.0.2.21"
  port: 502
  registers:
    p_setpoint_in: 100
    p_poi: 114
    p_battery: 102
    q_setpoint_in: 104
    q_poi: 116
    q_battery: 106
    v_poi: 118
    enable: 110
    soc: 112
"""

OLD_CONFIGS = {"newest": NEWEST, "flat registers": FLAT_REGISTERS, "one plant": ONE_PLANT}
