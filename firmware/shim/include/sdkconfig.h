#pragma once

// What menuconfig writes with the defaults of Kconfig.projbuild: for a classic ESP32, or with
// SHIM_ESP32C3 for a C3. What is off is not defined at all.
#ifdef SHIM_ESP32C3
#define CONFIG_IDF_TARGET "esp32c3"
#define CONFIG_IDF_TARGET_ESP32C3 1
#define CONFIG_FREERTOS_UNICORE 1
#define CONFIG_BEDSIDE_ECG_GPIO 0
#define CONFIG_BEDSIDE_LO_PLUS_GPIO 4
#define CONFIG_BEDSIDE_LO_MINUS_GPIO 5
#define CONFIG_BEDSIDE_SDN_GPIO 6
#define CONFIG_BEDSIDE_LED_GPIO 7
#else
#define CONFIG_IDF_TARGET "esp32"
#define CONFIG_IDF_TARGET_ESP32 1
#define CONFIG_BEDSIDE_ECG_GPIO 34
#define CONFIG_BEDSIDE_LO_PLUS_GPIO 32
#define CONFIG_BEDSIDE_LO_MINUS_GPIO 33
#define CONFIG_BEDSIDE_SDN_GPIO 25
#define CONFIG_BEDSIDE_LED_GPIO 26
#endif
#define CONFIG_LWIP_SNTP_MAX_SERVERS 1
#define CONFIG_BEDSIDE_GAIN_MILLI 1100000
#define CONFIG_BEDSIDE_BIAS_MV 1650
#define CONFIG_BEDSIDE_STORE_KB 96
#define CONFIG_BEDSIDE_SNTP_SERVER "pool.ntp.org"
// With SHIM_UPDATES as somebody sets it who wants updates, else as it is.
#ifdef SHIM_UPDATES
#define CONFIG_BEDSIDE_UPDATE_URL "https://updates.local/node.bin"
#define CONFIG_SECURE_SIGNED_ON_UPDATE 1
#else
#define CONFIG_BEDSIDE_UPDATE_URL ""
#endif
