#include "rtos.hpp"

#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "driver/gptimer.h"
#include "esp_err.h"
#include "esp_timer.h"
#include "freertos/queue.h"
#include "freertos/task.h"
#include "world.hpp"

// Tasks are threads, time is counted in the timer's ticks. One lock guards everything; a task that
// waits leaves behind what it waits for, so that time can stand still until every task really
// waits.

struct shim_task {
    std::string name;
    std::uint32_t notifications = 0;
};

struct shim_queue {
    std::size_t length;
    std::size_t item_size;
    std::deque<std::vector<std::uint8_t>> items;
};

namespace {

constexpr std::int64_t kTickUs = 500;

std::mutex lock;
std::condition_variable changed;
std::int64_t now_us = 0;
int task_count = 0;
std::list<std::function<bool()>> waiting;
gptimer_alarm_cb_t on_alarm = nullptr;
bool timer_runs = false;
int held_up = 0;
thread_local shim_task* self = nullptr;

bool all_wait() {
    if (static_cast<int>(waiting.size()) != task_count) {
        return false;
    }
    for (const auto& ready : waiting) {
        if (ready()) {
            return false;
        }
    }
    return true;
}

/// Waits until it is ready or this much time has passed; returns whether it is ready.
bool wait_for(std::unique_lock<std::mutex>& held, const std::function<bool()>& ready,
              TickType_t wait_ms) {
    const std::int64_t until_us =
        wait_ms == portMAX_DELAY ? INT64_MAX : now_us + std::int64_t{1000} * wait_ms;
    const auto due = [&ready, until_us] { return ready() || now_us >= until_us; };
    const auto place = waiting.insert(waiting.end(), due);
    changed.notify_all();
    changed.wait(held, due);
    waiting.erase(place);
    return ready();
}

}  // namespace

namespace shim {

void settle() {
    std::unique_lock<std::mutex> held(lock);
    changed.wait(held, all_wait);
}

void run_ticks(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        settle();
        std::unique_lock<std::mutex> held(lock);
        now_us += kTickUs;
        ++world().ticks;
        if (held_up == 0) {
            held_up = world().held_up_ticks(world().ticks);
        }
        if (timer_runs) {
            on_alarm(nullptr, nullptr, nullptr);
        }
        held_up = held_up > 0 ? held_up - 1 : 0;
        changed.notify_all();
    }
    settle();
}

bool on_sampler() {
    return self != nullptr && self->name == "sampler";
}

std::int64_t time_us() {
    const std::lock_guard<std::mutex> held(lock);
    return now_us;
}

}  // namespace shim

extern "C" {

BaseType_t xTaskCreatePinnedToCore(TaskFunction_t function, const char* name, uint32_t,
                                   void* argument, UBaseType_t, TaskHandle_t* handle, BaseType_t) {
    auto* task = new shim_task{name};
    if (handle != nullptr) {
        *handle = task;
    }
    {
        const std::lock_guard<std::mutex> held(lock);
        ++task_count;
    }
    std::thread([task, function, argument] {
        self = task;
        function(argument);
    }).detach();
    return pdPASS;
}

// The task's function returns right afterwards.
void vTaskDelete(TaskHandle_t) {
    const std::lock_guard<std::mutex> held(lock);
    --task_count;
    changed.notify_all();
}

uint32_t ulTaskNotifyTake(BaseType_t, TickType_t wait) {
    std::unique_lock<std::mutex> held(lock);
    shim_task* const task = self;
    wait_for(
        held, [task] { return task->notifications > 0 && held_up == 0; }, wait);
    const std::uint32_t taken = task->notifications;
    task->notifications = 0;
    return taken;
}

// Called from within run_ticks, as from an interrupt.
void vTaskNotifyGiveFromISR(TaskHandle_t task, BaseType_t* woken) {
    ++task->notifications;
    *woken = pdTRUE;
}

QueueHandle_t xQueueCreate(UBaseType_t length, UBaseType_t item_size) {
    return new shim_queue{length, item_size, {}};
}

BaseType_t xQueueSend(QueueHandle_t queue, const void* item, TickType_t wait) {
    std::unique_lock<std::mutex> held(lock);
    const auto has_room = [queue] { return queue->items.size() < queue->length; };
    if (!has_room() && (wait == 0 || !wait_for(held, has_room, wait))) {
        return pdFALSE;
    }
    const auto* bytes = static_cast<const std::uint8_t*>(item);
    queue->items.emplace_back(bytes, bytes + queue->item_size);
    changed.notify_all();
    return pdTRUE;
}

BaseType_t xQueueReceive(QueueHandle_t queue, void* item, TickType_t wait) {
    std::unique_lock<std::mutex> held(lock);
    const auto has_item = [queue] { return !queue->items.empty(); };
    if (!has_item() && (wait == 0 || !wait_for(held, has_item, wait))) {
        return pdFALSE;
    }
    std::memcpy(item, queue->items.front().data(), queue->item_size);
    queue->items.pop_front();
    changed.notify_all();
    return pdTRUE;
}

int64_t esp_timer_get_time(void) {
    return shim::time_us();
}

esp_err_t gptimer_new_timer(const gptimer_config_t* config, gptimer_handle_t*) {
    return config->resolution_hz == 1'000'000 ? ESP_OK : ESP_FAIL;
}

esp_err_t gptimer_register_event_callbacks(gptimer_handle_t,
                                           const gptimer_event_callbacks_t* callbacks, void*) {
    on_alarm = callbacks->on_alarm;
    return ESP_OK;
}

esp_err_t gptimer_set_alarm_action(gptimer_handle_t, const gptimer_alarm_config_t* config) {
    return config->alarm_count == kTickUs && config->flags.auto_reload_on_alarm != 0 ? ESP_OK
                                                                                     : ESP_FAIL;
}

esp_err_t gptimer_enable(gptimer_handle_t) {
    return ESP_OK;
}

esp_err_t gptimer_start(gptimer_handle_t) {
    const std::lock_guard<std::mutex> held(lock);
    timer_runs = true;
    return ESP_OK;
}

}  // extern "C"
